// What surrounds the work of a template: retries, locks, memoization, loops, hooks. Older spellings are read too:
// `mutex` and `semaphore` where there are lists today.
#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "dialect/argo/read.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

LockSpec read_mutex(const yaml::Node& node, const std::string& where, Report& report) {
  Fields fields(report, node, kMutex, where);
  LockSpec lock;
  lock.mark = node.mark;
  lock.name = fields.text("name").value_or(Scalar{"", node.mark});
  lock.name_space = fields.text("namespace").value_or(Scalar{"", node.mark});
  return lock;
}

LockSpec read_semaphore(const yaml::Node& node, const std::string& where, Report& report) {
  Fields fields(report, node, kSemaphore, where);
  LockSpec lock;
  lock.mark = node.mark;
  lock.name_space = fields.text("namespace").value_or(Scalar{"", node.mark});
  lock.limit = read_selector(fields, "configMapKeyRef");
  if (const yaml::Node* database = fields.mapping("database")) {
    lock.of_database = true;
    lock.name = Scalar{std::string(text_at(*database, {"key"})), database->mark};
  }
  return lock;
}

void read_lock_keys(Fields& fields, std::vector<LockSpec>& locks) {
  const std::string& where = fields.where();
  if (const yaml::Node* one = fields.mapping("mutex"))
    locks.push_back(read_mutex(*one, where + ".mutex", fields.report()));
  if (const yaml::Node* one = fields.mapping("semaphore"))
    locks.push_back(read_semaphore(*one, where + ".semaphore", fields.report()));
}

// A reference in an item may become anything.
void add_inner_names(const yaml::Node& item, std::optional<std::set<std::string, std::less<>>>& names) {
  if (!names) return;
  if (item.is_scalar() && is_late(item.text)) return names.reset();
  for (std::size_t index = 0; index < item.items.size(); ++index) names->insert(fmt::format("[{}]", index));
  for (const auto& [key, value] : item.entries) {
    if (is_late(key.text)) return names.reset();
    names->insert(key.text);
  }
}

}  // namespace

std::optional<KeySelector> read_selector(Fields& fields, std::string_view key) {
  const yaml::Node* node = fields.mapping(key);
  if (node == nullptr) return std::nullopt;
  Fields inner(fields.report(), *node, kKey, fmt::format("{}.{}", fields.where(), key));
  return KeySelector{inner.text("name").value_or(Scalar{"", node->mark}),
                     inner.any_text("key").value_or(Scalar{"", node->mark}), inner.boolean("optional", false)};
}

std::optional<RetrySpec> read_retry(Fields& fields) {
  const yaml::Node* node = fields.mapping("retryStrategy");
  if (node == nullptr) return std::nullopt;
  Fields inner(fields.report(), *node, kRetry, fields.where() + ".retryStrategy");
  RetrySpec retry;
  retry.mark = node->mark;
  retry.limit = inner.any_text("limit");
  if (!retry.limit) retry.limit = inner.any_text("retries");
  retry.policy = inner.text("retryPolicy");
  retry.expression = inner.text("expression");
  retry.backoff = inner.any_text("duration");
  if (const yaml::Node* backoff = inner.mapping("backoff")) {
    Fields waits(fields.report(), *backoff, kBackoff, inner.where() + ".backoff");
    retry.backoff = waits.any_text("duration");
    retry.factor = waits.any_text("factor");
    retry.cap = waits.any_text("cap");
    retry.max_duration = waits.any_text("maxDuration");
  }
  for (auto* text : {&retry.expression, &retry.backoff, &retry.factor, &retry.cap, &retry.max_duration})
    if (*text && (*text)->text.empty()) text->reset();
  return retry;
}

std::vector<LockSpec> read_locks(Fields& fields) {
  std::vector<LockSpec> locks;
  read_lock_keys(fields, locks);
  const yaml::Node* node = fields.mapping("synchronization");
  if (node == nullptr) return locks;
  Fields inner(fields.report(), *node, kSynchronization, fields.where() + ".synchronization");
  read_lock_keys(inner, locks);
  const std::vector<yaml::Node>& mutexes = inner.list("mutexes");
  for (std::size_t index = 0; index < mutexes.size(); ++index)
    locks.push_back(read_mutex(mutexes[index], fmt::format("{}.mutexes[{}]", inner.where(), index), fields.report()));
  const std::vector<yaml::Node>& semaphores = inner.list("semaphores");
  for (std::size_t index = 0; index < semaphores.size(); ++index)
    locks.push_back(
        read_semaphore(semaphores[index], fmt::format("{}.semaphores[{}]", inner.where(), index), fields.report()));
  return locks;
}

std::optional<MemoSpec> read_memo(Fields& fields) {
  const yaml::Node* node = fields.mapping("memoize");
  if (node == nullptr) return std::nullopt;
  Fields inner(fields.report(), *node, kMemoize, fields.where() + ".memoize");
  MemoSpec memo;
  memo.mark = node->mark;
  memo.key = inner.any_text("key").value_or(Scalar{"", node->mark});
  memo.max_age = inner.any_text("maxAge");
  if (memo.max_age && memo.max_age->text.empty()) memo.max_age.reset();
  memo.cache = Scalar{"", node->mark};
  if (const yaml::Node* cache = inner.mapping("cache")) {
    Fields where(fields.report(), *cache, kCache, inner.where() + ".cache");
    if (const yaml::Node* map = where.mapping("configMap")) {
      Fields named(fields.report(), *map, kKey, where.where() + ".configMap");
      memo.cache = named.text("name").value_or(memo.cache);
    }
  }
  return memo;
}

std::optional<LoopSpec> read_loop(Fields& fields, int& count) {
  std::optional<LoopSpec> loop;
  for (const std::string_view key : {"withItems", "withParam", "withSequence"}) {
    const yaml::Node* node = fields.find(key);
    if (node == nullptr) continue;
    if (node->is_scalar() && node->text.empty()) continue;
    if (++count > 1) continue;
    loop = LoopSpec{};
    loop->mark = node->mark;
    if (key != "withParam") loop->inner_names.emplace();
  }
  if (fields.find("withItems") != nullptr) {
    loop->items.emplace();
    for (const yaml::Node& item : fields.list("withItems")) {
      loop->items->push_back(to_text(yaml::to_json(item)));
      add_inner_names(item, loop->inner_names);
    }
  }
  if (auto parameter = fields.text("withParam"); parameter && !parameter->text.empty())
    loop->parameter = std::move(parameter);
  if (const yaml::Node* node = fields.mapping("withSequence")) {
    Fields inner(fields.report(), *node, kSequence, fields.where() + ".withSequence");
    loop->sequence = LoopSpec::Sequence{inner.any_text("count"), inner.any_text("start"), inner.any_text("end"),
                                        inner.text("format")};
  }
  return loop;
}

Reference read_reference(Fields& fields) {
  Reference called;
  called.name = fields.text("template");
  if (called.name && called.name->text.empty()) called.name.reset();
  if (const yaml::Node* node = fields.mapping("templateRef")) {
    Fields inner(fields.report(), *node, kTemplateRef, fields.where() + ".templateRef");
    called.library = inner.text("name").value_or(Scalar{"", node->mark});
    if (called.name) fields.report().error(node->mark, fields.where() + " cannot use both template and templateRef");
    called.name = inner.text("template").value_or(Scalar{"", node->mark});
    called.cluster = inner.boolean("clusterScope", false);
  }
  called.is_inline = fields.find("inline") != nullptr;
  called.given = called.name.has_value() || called.is_inline;
  called.dynamic =
      (called.name && called.name->text.contains("{{")) || (called.library && called.library->text.contains("{{"));
  return called;
}

std::vector<HookSpec> read_hooks(Fields& fields) {
  std::vector<HookSpec> hooks;
  const yaml::Node* node = fields.mapping("hooks");
  if (node == nullptr) return hooks;
  for (const auto& [name, value] : node->entries) {
    if (value.is_null()) continue;
    Fields inner(fields.report(), value, kHook, fmt::format("{}.hooks.{}", fields.where(), name.text));
    HookSpec& hook = hooks.emplace_back();
    hook.name = Scalar{name.text, name.mark};
    hook.mark = value.mark;
    hook.called = read_reference(inner);
    hook.arguments =
        read_exchange(inner.mapping("arguments"), Side::arguments, inner.where() + ".arguments", fields.report());
    hook.expression = inner.text("expression");
    if (hook.expression && hook.expression->text.empty()) hook.expression.reset();
  }
  return hooks;
}

}  // namespace kist::dialect::argo
