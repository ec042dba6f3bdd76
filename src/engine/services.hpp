// What a task of this process hears from its engine: its log, and a way to the engine's thread.
#pragma once

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "catalog/secrets.hpp"
#include "engine/committer.hpp"
#include "engine/inbox.hpp"
#include "engine/log.hpp"
#include "engine/objects.hpp"
#include "engine/repository.hpp"
#include "model/record.hpp"
#include "task/task.hpp"

namespace kist::engine {

// Thread-safe.
class NodeServices : public task::TaskServices {
 public:
  NodeServices(Node& node, std::filesystem::path log, std::function<Time()> clock, Audience& audience,
               std::shared_ptr<Inbox> inbox, std::function<void()> kept_live, const Parts& parts,
               const model::RunRecord& run)
      : node_(node),
        names_(node.record.names),
        audience_(audience),
        inbox_(std::move(inbox)),
        kept_live_(std::move(kept_live)),
        parts_(parts),
        run_(run),
        secrets_(parts.home),
        log_(std::move(log), std::move(clock), [this](task::Stream stream, std::string_view line) {
          audience_.tell([&](Observer& observer) { observer.output(names_, stream, line); });
        }) {}

  void started() override { inbox_->post(TaskStarted{&node_}); }
  void log(task::Stream stream, std::string_view bytes) override {
    if (auto written = log_.write(stream, bytes); !written) inbox_->post(Broken{written.error()});
  }
  Status publish(const model::ArtifactRecord& artifact) override {
    auto receipt = std::make_shared<Receipt>();
    auto answer = receipt->answer();
    inbox_->post(TaskPublished{&node_, artifact, std::move(receipt)});
    Status written = answer.get();
    if (written && kept_live_) kept_live_();
    return written;
  }
  void ready(std::string_view address) override { inbox_->post(TaskReady{&node_, std::string(address)}); }
  void report(std::string_view progress) override {
    audience_.tell([&](Observer& observer) { observer.progress(names_, progress); });
  }

  void fetched(const model::ArtifactRecord& artifact) override {
    std::lock_guard lock(mutex_);
    fetched_.push_back(artifact);
  }
  Result<std::vector<std::string>> keys_below(std::string_view key) override { return engine::keys_below(parts_, key); }
  Result<task::SecretValues> secret(std::string_view name) override { return secrets_.get(name); }
  Result<ActedOn> act_on_object(const model::ObjectRequest& request) override {
    KIST_TRY_ASSIGN(const model::Dialect* dialect, find_dialect(parts_.dialects, run_.dialect));
    RunObjects objects(parts_, run_,
                       [this](std::string_view text) { log(task::Stream::kist, std::string(text) + "\n"); });
    KIST_TRY_ASSIGN(std::string object, dialect->act_on_object(request, objects));
    return ActedOn{std::move(object), objects.take_secrets()};
  }

  // The task has ended.
  Status finish() { return log_.finish(); }
  // What it fetched from locations outside.
  std::vector<model::ArtifactRecord> take_fetched() {
    std::lock_guard lock(mutex_);
    return std::exchange(fetched_, {});
  }

 private:
  Node& node_;
  const model::NodeNames names_;
  Audience& audience_;
  const std::shared_ptr<Inbox> inbox_;
  const std::function<void()> kept_live_;
  const Parts& parts_;
  const model::RunRecord& run_;  // only what does not change while it runs
  const catalog::Secrets secrets_;
  std::mutex mutex_;
  std::vector<model::ArtifactRecord> fetched_;  // guarded by mutex_
  LogWriter log_;
};

}  // namespace kist::engine
