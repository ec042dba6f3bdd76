#include "catalog/secrets.hpp"

#include <iostream>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <termios.h>
#include <unistd.h>

#include "base/file.hpp"
#include "cli/commands/table.hpp"

namespace kist::cli {

namespace {

struct SecretsOptions {
  std::string name;
  std::string key;
  std::optional<std::string> variable;
  std::optional<std::string> file;
};

// Shows nothing of what is typed as long as it lives.
class Silence {
 public:
  Silence() {
    known_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (known_) ::tcsetattr(STDIN_FILENO, TCSANOW, &silent);
  }
  ~Silence() {
    if (known_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  termios before_{};
  bool known_ = false;
};

// Never a word of the command line: those everybody on this machine can read.
Result<std::string> read_value(const SecretsOptions& options) {
  if (options.variable && options.file)
    return fail(ErrorKind::invalid, "where is the value: in --from-env or in --from-file?");
  if (options.file) return read_file(*options.file, catalog::Secrets::kLargest);
  if (options.variable) {
    if (const char* value = std::getenv(options.variable->c_str())) return value;
    return fail(ErrorKind::not_found, fmt::format("there is no variable {} in the environment", *options.variable));
  }
  std::string value;
  if (is_terminal(STDIN_FILENO)) {
    const Silence silence;  // before it asks: what is typed at once is neither shown nor lost
    fmt::print(stderr, "Value of {} in the secret {} (it is not shown): ", options.key, options.name);
    const bool was_given = static_cast<bool>(std::getline(std::cin, value));
    fmt::print(stderr, "\n");
    if (!was_given) return fail(ErrorKind::invalid, "no value was given");
    return value;
  }
  value.assign(std::istreambuf_iterator<char>(std::cin), {});
  if (value.ends_with('\n')) value.pop_back();
  return value;
}

Result<int> list_secrets(Context& context, bool json) {
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  KIST_TRY_ASSIGN(const auto secrets, catalog::Secrets(*home).list());
  if (json) {
    Json array = Json::array();
    for (const auto& secret : secrets) {
      array.push_back({{"name", secret.name}, {"keys", secret.keys}});
      if (secret.damaged) array.back()["damaged"] = true;
    }
    print_json(array);
    return 0;
  }
  Table table({"NAME", "KEYS"});
  for (const auto& secret : secrets)
    table.add({secret.name, secret.damaged ? "damaged: `kist secrets delete` removes it"
                                           : fmt::format("{}", fmt::join(secret.keys, ", "))});
  print(table.to_text(context.colored_output()));
  return 0;
}

Result<int> set(Context& context, const SecretsOptions& options, catalog::Secrets::Only only) {
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  KIST_TRY_ASSIGN(const auto value, read_value(options));
  KIST_TRY(catalog::Secrets(*home).set(options.name, options.key, value, only));
  context.done(fmt::format("{} of the secret {} is set", options.key, options.name));
  return 0;
}

struct SecretsDeleteOptions {
  std::string name;
  std::optional<std::string> key;
  bool yes = false;
};

Result<int> remove(Context& context, const SecretsDeleteOptions& options) {
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  const catalog::Secrets secrets(*home);
  KIST_TRY_ASSIGN(const auto values, secrets.get(options.name));
  const auto what = options.key ? fmt::format("{} of the secret {}", *options.key, options.name)
                                : fmt::format("the secret {}", options.name);
  KIST_TRY_ASSIGN(const bool agreed, context.confirm(fmt::format("Delete {}?", what), options.yes));
  if (!agreed) return 0;
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  const bool whole = !options.key || (values.size() == 1 && values.contains(*options.key));
  if (whole) KIST_TRY(catalog->disown({"secret", options.name}));
  KIST_TRY(options.key ? secrets.remove(options.name, *options.key) : secrets.remove(options.name));
  context.done(fmt::format("Deleted {}", what));
  return 0;
}

void declare_setting(Arguments& command, Context& context, catalog::Secrets::Only only) {
  auto options = std::make_shared<SecretsOptions>();
  command.option("--from-env", "VARIABLE", options->variable, "The value is that of an environment variable");
  command.option("--from-file", "FILE", options->file, "The value is what the file holds", Completes::file);
  command.positional("NAME", options->name, "The secret");
  command.positional("KEY", options->key, "Which of its values");
  command.epilogue(
      "Without --from-env and --from-file the value is asked for, and not shown; where nobody sits at a terminal, it "
      "is "
      "the standard input without its last line break.");
  command.action([&context, options, only] { return set(context, *options, only); });
}

}  // namespace

void declare_secrets(Arguments& arguments, Context& context) {
  auto json = std::make_shared<bool>(false);
  arguments.flag("--json", *json, "Print JSON: an array of names with their keys");
  arguments.action([&context, json] { return list_secrets(context, *json); });

  Arguments& listing =
      arguments.command("list", "List secrets and their keys, never a value (so does `secrets` alone)");
  listing.flag("--json", *json, "Print JSON: an array of names with their keys");
  listing.action([&context, json] { return list_secrets(context, *json); });

  declare_setting(arguments.command("add", "Add a value to a secret, which is made where there is none"), context,
                  catalog::Secrets::Only::absent);
  declare_setting(arguments.command("update", "Replace a value of a secret"), context, catalog::Secrets::Only::present);

  auto removing = std::make_shared<SecretsDeleteOptions>();
  Arguments& delete_command = arguments.command("delete", "Delete a secret, or one of its values");
  delete_command.flag("-y,--yes", removing->yes, "Do not ask");
  delete_command.positional("NAME", removing->name, "The secret");
  delete_command.positional("KEY", removing->key, "Which of its values; without it all of them");
  delete_command.action([&context, removing] { return remove(context, *removing); });
}

}  // namespace kist::cli
