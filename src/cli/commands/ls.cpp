#include "cli/commands.hpp"
#include "cli/listing.hpp"
#include "cli/subject.hpp"

namespace kist::cli {

namespace {

struct Options {
  std::string subject;
  std::optional<std::string> prefix;
  bool recursive = false;
  bool totals = false;
  bool json = false;
};

Result<int> act(Context& context, const Options& options) {
  KIST_TRY_ASSIGN(const auto run, find_record(context.house, options.subject));
  KIST_TRY_ASSIGN(store::Store * store, context.house.store());
  const ListingOptions listing{options.prefix.value_or(""), options.recursive, options.totals};
  KIST_TRY_ASSIGN(const auto files, list_files(*store, run, listing));
  if (options.json) {
    print_json(listing_as_json(files));
  } else {
    print(listing_as_table(files, context.colored_output()));
  }
  return 0;
}

}  // namespace

void declare_ls(Arguments& arguments, Context& context) {
  auto options = std::make_shared<Options>();
  arguments.flag("-r,--recursive", options->recursive, "Every file, not only what lies directly in each artifact");
  arguments.flag("-t,--total", options->totals, "Sizes of directories too");
  arguments.flag("--json", options->json, "Print JSON");
  arguments.positional("RUN|:TAG", options->subject, "Whose artifacts", Completes::run_or_tag);
  arguments.positional("PREFIX", options->prefix, "Only this artifact, a directory in it, or what begins so",
                       Completes::artifact);
  arguments.action([&context, options] { return act(context, *options); });
}

}  // namespace kist::cli
