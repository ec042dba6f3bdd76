#include "task/transfers.hpp"

#include <fmt/format.h>

#include "base/file.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

Status make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return fail_errno(fmt::format("cannot make {}", path.string()), error.value());
  return {};
}

}  // namespace

bool is_repository_key(const model::Location& location) {
  return location.kind == "key";
}

Result<location::Context> Transfers::context() {
  KIST_TRY_ASSIGN(fs::path own, directory_.path());
  location::Context context;
  context.secret = [this](std::string_view name, std::string_view key) -> Result<std::string> {
    KIST_TRY_ASSIGN(auto value, services_.value({.name = expression::Text::literal(std::string(name)),
                                                 .key = expression::Text::literal(std::string(key)),
                                                 .optional = false}));
    return *value;
  };
  context.endpoints = tools_.endpoints;
  context.cache = tools_.home / "cache";
  context.scratch = own / "transfers";
  KIST_TRY(make_directories(context.scratch));
  context.cancelled = [this] { return stop_.get() > known_; };
  context.notice = [this](const std::string& text) { services_.log(Stream::kist, text + "\n"); };
  return context;
}

Result<model::ArtifactRecord> Transfers::fetch(const model::ExternalArtifact& source, const std::string& name,
                                               const std::string& path) {
  auto fetched = [&]() -> Result<model::ArtifactRecord> {
    KIST_TRY_ASSIGN(auto with, context());
    KIST_TRY_ASSIGN(fs::path own, directory_.path());
    fs::path parent = own / fmt::format("fetched-{}", ++count_);
    KIST_TRY(make_directories(parent));
    fs::path target = parent / "artifact";
    KIST_TRY(location::load(source.location, {.archive = source.archive}, target, with));
    KIST_TRY_ASSIGN(auto transaction, tools_.store.begin());
    KIST_TRY_ASSIGN(store::Saved saved, transaction->save(target, {.adopt = true}));
    KIST_TRY(transaction->commit());
    fetched_.push_back(std::move(transaction));
    KIST_TRY(remove_tree(parent));
    return model::ArtifactRecord{.name = name,
                                 .path = path,
                                 .tree = saved.id.tree,
                                 .times = saved.id.times,
                                 .bytes = saved.bytes,
                                 .files = saved.files,
                                 .archive = source.archive.value_or(model::Archive()),
                                 .left_out = std::move(saved.notices)};
  }();
  if (!fetched) return with_context(fmt::format("artifact {} failed to load", name), fetched.error());
  services_.fetched(*fetched);
  return fetched;
}

Status Transfers::send(const model::ArtifactRecord& artifact, const model::Location& to) {
  auto sent = [&]() -> Status {
    KIST_TRY_ASSIGN(auto with, context());
    with.cancelled = [this] { return stop_.get() == Stop::abort; };
    std::string top = fs::path(artifact.path).lexically_normal().filename();
    if (top.empty() || top == "." || top == "/") top = artifact.name;
    return location::save(to, artifact.archive,
                          {.store = tools_.store, .id = {artifact.tree, artifact.times}, .name = top}, with);
  }();
  if (!sent)
    return with_context(fmt::format("artifact {} is kept, but could not be sent to {}", artifact.name, to_string(to)),
                        sent.error());
  return {};
}

}  // namespace kist::task
