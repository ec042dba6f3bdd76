#include "task/hold.hpp"

#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

namespace kist::task {

bool Hold::is_wanted(const model::Run& run, When when) {
  return run.pause && (when == When::before ? run.pause->before : run.pause->after).source() == "true";
}

Result<Hold> Hold::begin(const model::Run& run, When when, sandbox::Sandbox& sandbox) {
  const std::filesystem::path directory = run.pause->directory;
  const std::string_view name = when == When::before ? "before" : "after";
  Hold hold(sandbox, directory / name);
  KIST_TRY(sandbox.make_directories(directory));
  KIST_TRY_ASSIGN(auto found, sandbox.find(directory));
  hold.directory_ = std::move(found.handle);
  KIST_TRY_ASSIGN(auto top, sandbox.find("/"));
  hold.top_ = std::move(top.handle);
  hold.advice_ = fmt::format("`touch /proc/{0}/fd/{1}/{2}` lets it go on; its root is /proc/{0}/fd/{3}/", ::getpid(),
                             hold.directory_.get(), name, hold.top_.get());
  return hold;
}

bool Hold::is_released() const {
  return sandbox_->find(file_).has_value();
}

}  // namespace kist::task
