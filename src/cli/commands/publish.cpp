#include <filesystem>

#include <fmt/format.h>

#include "cli/commands/table.hpp"
#include "task/control.hpp"

namespace kist::cli {

namespace {

struct PublishOptions {
  std::string name;
  std::string path;
};

Result<int> publish(Context& context, const PublishOptions& options) {
  std::error_code failed;
  const auto path = std::filesystem::absolute(options.path, failed).lexically_normal();
  if (failed) return fail_errno("finding the current directory", failed.value());
  KIST_TRY_ASSIGN(const auto published, task::publish(options.name, path));
  if (published.left_out > 0) fmt::print(stderr, "Not all of it could be kept: the log of the task names what\n");
  context.done(fmt::format("{} kept: {} {}, {}", options.name, published.files, published.files == 1 ? "file" : "files",
                           human_size(published.bytes)));
  return 0;
}

}  // namespace

void declare_publish(Arguments& arguments, Context& context) {
  auto options = std::make_shared<PublishOptions>();
  arguments.positional("NAME", options->name, "The artifact's name; publishing it again replaces it");
  arguments.positional("PATH", options->path, "A file or directory of the task, as it is now", Completes::file);
  arguments.epilogue("For use inside a task. What is published is durable when this returns, however the task ends.");
  arguments.action([&context, options] { return publish(context, *options); });
}

}  // namespace kist::cli
