#include <fmt/format.h>

#include "base/terminal.hpp"
#include "cli/commands/table.hpp"
#include "cli/subject.hpp"
#include "engine/repository.hpp"
#include "engine/retention.hpp"
#include "store/maintenance.hpp"

namespace kist::cli {

namespace {

struct PutOptions {
  std::string key;
  std::string path;
};

Result<int> put(Context& context, const PutOptions& options) {
  KIST_TRY_ASSIGN(const auto parts, context.house.parts());
  KIST_TRY_ASSIGN(const std::uint64_t room, engine::room_in_quota(parts.home));
  if (room != UINT64_MAX) {
    // What of it is here already, and how well the rest compresses, only storing it would tell.
    const std::uint64_t bytes = store::bytes_on_disk(options.path);
    if (bytes > room)
      return fail(
          ErrorKind::no_space,
          fmt::format("{} takes {}, and {} are left of the quota: remove runs (`kist rm`) and collect what they "
                      "held (`kist gc`), or raise the quota",
                      options.path, human_size(bytes), human_size(room)));
  }
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
