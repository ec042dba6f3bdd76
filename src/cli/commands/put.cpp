#include <fmt/format.h>

#include "cli/commands/table.hpp"
#include "cli/subject.hpp"
#include "engine/repository.hpp"
#include "engine/retention.hpp"

namespace kist::cli {

namespace {

struct PutOptions {
  std::string key;
  std::string path;
};

Result<int> put(Context& context, const PutOptions& options) {
  KIST_TRY_ASSIGN(const auto parts, context.house.parts());
  KIST_TRY(engine::check_quota(parts.home));
  KIST_TRY_ASSIGN(const auto before, engine::put_under_key(parts, options.key, options.path));
  context.done(fmt::format("{} lies under the key '{}'{}", options.path, engine::key_of(options.key),
                           before ? ", in place of what was there" : ""));
  return 0;
}

}  // namespace

void declare_put(Arguments& arguments, Context& context) {
  auto options = std::make_shared<PutOptions>();
  arguments.positional("KEY", options->key, "Where files find it: `s3: {key: KEY}` without a bucket");
  arguments.positional("PATH", options->path, "A file or directory; it is copied", Completes::file);
  arguments.action([&context, options] { return put(context, *options); });
}

}  // namespace kist::cli
