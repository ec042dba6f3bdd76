#include <charconv>
#include <cstdio>

#include <fmt/format.h>

#include "base/words.hpp"
#include "cli/commands/table.hpp"
#include "cli/listing.hpp"
#include "cli/subject.hpp"

namespace kist::cli {

namespace {

struct LsOptions {
  std::string subject;
  std::optional<std::string> prefix;
  std::optional<std::string> limit;
  std::optional<std::string> after;
  bool recursive = false;
  bool totals = false;
  bool json = false;
};

Result<std::size_t> limit_of(const LsOptions& options) {
  if (!options.limit) return SIZE_MAX;
  std::size_t limit = 0;
  const char* end = options.limit->data() + options.limit->size();
  const auto [at, error] = std::from_chars(options.limit->data(), end, limit);
  if (error != std::errc() || at != end || limit == 0)
    return fail(ErrorKind::invalid, fmt::format("--limit: expected a number of rows, not '{}'", *options.limit));
  return limit;
}

Result<int> ls(Context& context, const LsOptions& options) {
  KIST_TRY_ASSIGN(const std::size_t limit, limit_of(options));
  KIST_TRY_ASSIGN(const auto run, find_record(context.house, options.subject));
  KIST_TRY_ASSIGN(store::Store * store, context.house.store());
  const ListingOptions listing{.prefix = options.prefix.value_or(""),
                               .recursive = options.recursive,
                               .totals = options.totals,
                               .digests = options.json,
                               .after = options.after.value_or(""),
                               .limit = limit};
  KIST_TRY_ASSIGN(const auto end, print_listing(*store, run, listing, options.json, context.colored_output()));
  if (end.more) {
    flush_output();
    fmt::print(stderr, "There is more: --after {}\n", shell_word(end.last));
  }
  return 0;
}

}  // namespace

void declare_ls(Arguments& arguments, Context& context) {
  auto options = std::make_shared<LsOptions>();
  arguments.flag("-r,--recursive", options->recursive, "Every file, not only what lies directly in each artifact");
  arguments.flag("-t,--total", options->totals, "Sizes of directories too");
  arguments.option("--limit", "N", options->limit, "At most so many rows");
  arguments.option("--after", "PATH", options->after,
                   "Only what comes behind this row, PATH/FILE: the next page where --limit ended the last one");
  arguments.flag("--json", options->json, "Print JSON");
  arguments.positional("RUN|:TAG", options->subject, "Whose artifacts", Completes::run_or_tag);
  arguments.positional("PREFIX", options->prefix, "Only this artifact, a directory in it, or what begins so",
                       Completes::artifact);
  arguments.action([&context, options] { return ls(context, *options); });
}

}  // namespace kist::cli
