// Which steps run after a failure is each action's `when`: `run` and `checkout` only while all is well, unless they say
// otherwise; `store_artifacts` whatever happened before. Nothing runs after the job was cancelled.
#include "dialect/circleci/steps.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "base/words.hpp"
#include "dialect/circleci/environment.hpp"
#include "dialect/circleci/names.hpp"

namespace kist::dialect::circleci {
namespace {

using model::Field;
using model::Text;

constexpr model::When kOnSuccess{.success = true, .failure = false, .stopped = false, .aborted = false};
constexpr model::When kOnFailure{.success = false, .failure = true, .stopped = false, .aborted = false};
constexpr model::When kAlways{.success = true, .failure = true, .stopped = false, .aborted = false};

constexpr std::chrono::minutes kNoOutputTimeout(10);
constexpr std::chrono::hours kLongestTimeout(24 * 365);

// Steps that are named as not supported yet.
struct Unsupported {
  std::string_view step;
  bool matters;  // a job without it would be wrong
  std::string_view remark;
};
constexpr Unsupported kUnsupported[] = {
    {"store_test_results", false, "the results are not read"},
    {"persist_to_workspace", false, "nothing is handed on to other jobs"},
    {"attach_workspace", true, "the files of other jobs would be missing"},
    {"save_cache", false, "nothing is kept from run to run"},
    {"restore_cache", false, "it finds nothing, as a first run does"},
    {"setup_remote_docker", true, "there would be no docker to speak to"},
    {"add_ssh_keys", false, "the task has the keys of this machine's user, if any"},
    {"when", true, ""},
    {"unless", true, ""},
    {"steps", true, ""},
};

// "restore-cache" is "restore_cache".
std::string normal(std::string_view step) {
  std::string name(step);
  std::ranges::replace(name, '-', '_');
  return name;
}

// What to call a command: its only line, or its first one.
std::string title_of(std::string_view command) {
  while (!command.empty() && std::isspace(static_cast<unsigned char>(command.back()))) command.remove_suffix(1);
  while (!command.empty() && std::isspace(static_cast<unsigned char>(command.front()))) command.remove_prefix(1);
  std::string_view line = command.substr(0, command.find('\n'));
  return line.size() == command.size() ? std::string(line) : fmt::format("{} …", line);
}

class StepReader {
 public:
  StepReader(const Config& config, const Texts& texts, const StepDefaults& defaults)
      : config_(config), texts_(texts), reader_(texts.reader()), defaults_(defaults) {}

  // `nested`: a list among the steps, as an alias of several steps makes it.
  void read(const yaml::Node& steps, bool nested = false) {
    for (const yaml::Node& step : steps.items) {
      if (step.is_sequence() && !nested)
        read(step, true);
      else if (step.is_scalar())
        read_step(step, step, nullptr);
      else if (step.is_mapping() && step.entries.size() == 1 && step.entries[0].first.is_scalar())
        read_step(step, step.entries[0].first, &step.entries[0].second);
      else if (step.is_mapping())
        reader_.fail(step, "expected a step: one key; are the lines below it indented enough?");
      else
        reader_.fail(step, fmt::format("expected a step, not {}", model::describe(step)));
    }
  }

  std::vector<model::Action> take() { return std::move(actions_); }

 private:
  // `value`: nullptr where the step is only a word; may be null.
  void read_step(const yaml::Node& step, const yaml::Node& key, const yaml::Node* value) {
    if (!texts_.text(key, "a step")) return;
    const yaml::Node* with = value == nullptr || value->is_null() ? nullptr : value;
    if (config_.has_parameters && config_.defines("commands", key.text))  // even under the name of a step of its own
      return reader_.refuse(key, "commands", key.text);
    std::string name = normal(key.text);
    if (name == "checkout") return checkout(step, with);
    if (name == "run" || name == "deploy") return run(step, key, with);
    if (name == "store_artifacts") return store_artifacts(step, key, with);
    auto known = std::ranges::find(kUnsupported, name, &Unsupported::step);
    if (known == std::end(kUnsupported)) {
      if (key.text.find('/') != std::string::npos)
        return reader_.refuse(key, "orbs", fmt::format("the step {}", key.text));
      return reader_.fail(key, fmt::format("there is no step '{}'", key.text));
    }
    if (known->matters)
      reader_.refuse(key, name, known->remark);
    else
      reader_.later(key, name, known->remark);
  }

  Field when_field(model::When& when) {
    return {.key = "when", .read = [this, &when](const yaml::Node& node) {
              auto word = texts_.text(node, "when");
              if (!word || *word == "on_success") {
                when = kOnSuccess;
              } else if (*word == "on_fail") {
                when = kOnFailure;
              } else if (*word == "always") {
                when = kAlways;
              } else {
                reader_.fail(
                    node, fmt::format("when: expected always, on_success or on_fail, not {}", model::describe(node)));
              }
            }};
  }

  Field text_field(std::string_view key, std::optional<std::string>& text) {
    return {.key = key, .read = [this, key, &text](const yaml::Node& node) { text = texts_.text(node, key); }};
  }

  // A key that must be there. Where it is there and wrong, that was said already.
  bool require(const yaml::Node& step, const yaml::Node& with, std::string_view key, const auto& value) {
    if (value) return true;
    if (const yaml::Node* node = with.find(key); node == nullptr || node->is_null())
      reader_.fail(step, fmt::format("this step needs `{}`", key));
    return false;
  }

  void add(const yaml::Node& step, const std::string& title, model::When when, auto what) {
    actions_.push_back({.title = title,
                        .container = defaults_.container,
                        .when = when,
                        .origin = reader_.at(step),
                        .what = std::move(what)});
  }

  void checkout(const yaml::Node& step, const yaml::Node* with) {
    model::When when = kOnSuccess;
    std::optional<std::string> path = ".";
    if (with != nullptr &&
        !reader_.mapping(*with, "a checkout",
                         {text_field("path", path),
                          when_field(when),
                          {.key = "name", .kind = Field::Kind::accepted},
                          {.key = "method", .kind = Field::Kind::accepted},  // how to clone: nothing is cloned
                          {.key = "depth", .kind = Field::Kind::accepted}}))
      return;
    if (!path) return;
    model::Load load;
    load.source = model::ProjectFiles{};
    load.path = Text::literal(std::move(*path));
    add(step, "checkout", when, std::move(load));
  }

  void run(const yaml::Node& step, const yaml::Node& key, const yaml::Node* with) {
    model::Run run;
    model::When when = kOnSuccess;
    std::optional<std::string> command;
    std::optional<std::string> name;
    std::vector<std::string> shell = defaults_.shell;
    std::chrono::seconds timeout = kNoOutputTimeout;
    if (with == nullptr) return reader_.fail(key, fmt::format("{}: expected a command", key.text));
    if (with->is_mapping()) {
      reader_.mapping(
          *with, "a run step",
          {text_field("command", command),
           text_field("name", name),
           when_field(when),
           {.key = "shell",
            .read =
                [&](const yaml::Node& node) {
                  if (auto words = read_shell(texts_, node)) shell = std::move(*words);
                }},
           {.key = "environment",
            .read = [&](const yaml::Node& node) { read_environment(texts_, node, run.environment); },
            .null = true},
           {.key = "background", .read = [&](const yaml::Node& node) { run.background = boolean(node, "background"); }},
           {.key = "working_directory",
            .read =
                [&](const yaml::Node& node) {
                  if (auto path = texts_.text(node, "working_directory"))
                    run.working_directory = Text::literal(std::move(*path));
                }},
           {.key = "no_output_timeout", .read = [&](const yaml::Node& node) { read_timeout(node, timeout); }},
           {.key = "description", .kind = Field::Kind::accepted},
           {.key = "max_auto_reruns", .kind = Field::Kind::later, .remark = "a failed step is not repeated"},
           {.key = "auto_rerun_delay", .kind = Field::Kind::later}});
      if (!require(step, *with, "command", command)) return;
    } else {
      command = texts_.text(*with, key.text, "a command");
      if (!command) return;
    }
    for (std::string& word : shell) run.command.push_back(Text::literal(std::move(word)));
    run.script = Text::literal(*command + (command->ends_with('\n') ? "" : "\n"));
    run.script_path = fmt::format("/var/tmp/.kist/step-{}", ++scripts_);
    if (!run.background) run.no_output_timeout = timeout;
    run.shown = true;
    add(step, name ? std::move(*name) : title_of(*command), when, std::move(run));
  }

  bool boolean(const yaml::Node& node, std::string_view name) {
    return texts_.text(node, name) && reader_.boolean(node, name).value_or(false);
  }

  void read_timeout(const yaml::Node& node, std::chrono::seconds& timeout) {
    auto text = texts_.text(node, "no_output_timeout", "a time such as 20m");
    if (!text) return;
    if (auto time = parse_duration(*text))
      timeout = *time;
    else
      reader_.fail(node, fmt::format("no_output_timeout: expected a time such as 30s, 20m or 1.5h, not {}",
                                     model::describe(node)));
  }

  void store_artifacts(const yaml::Node& step, const yaml::Node& key, const yaml::Node* with) {
    model::When when = kAlways;
    std::optional<std::string> path;
    std::optional<std::string> destination;
    if (with == nullptr) return reader_.fail(key, "store_artifacts: expected `path`");
    if (!reader_.mapping(*with, "a store_artifacts step",
                         {text_field("path", path),
                          text_field("destination", destination),
                          when_field(when),
                          {.key = "name", .kind = Field::Kind::accepted}}) ||
        !require(step, *with, "path", path))
      return;
    const yaml::Node& written = *with->find("path");
    auto name = artifact_name(*path, destination);
    if (!name) return reader_.fail(destination ? *with->find("destination") : written, name.error().text);
    if (name->at_the_root)
      reader_.warn(destination ? *with->find("destination") : written,
                   fmt::format("an artifact needs a name: it is called '{}'", name->name));
    if (path->find_first_of("*?[$") != std::string::npos)
      reader_.warn(written, fmt::format("path: '{}' is taken as it is written: neither patterns nor variables are "
                                        "expanded",
                                        *path));
    model::Save save;
    save.name = std::move(name->name);
    save.path = Text::literal(std::move(*path));
    save.missing = model::Save::Missing::notice;
    save.directories = false;
    const std::string title = "store_artifacts " + save.path.source();
    add(step, title, when, std::move(save));
  }

  const Config& config_;
  const Texts& texts_;
  const model::Reader& reader_;
  const StepDefaults& defaults_;
  std::vector<model::Action> actions_;
  int scripts_ = 0;
};

}  // namespace

std::vector<model::Action> read_steps(const Config& config, const Texts& texts, const yaml::Node& steps,
                                      const StepDefaults& defaults) {
  StepReader reader(config, texts, defaults);
  reader.read(steps);
  return reader.take();
}

std::optional<std::vector<std::string>> read_shell(const Texts& texts, const yaml::Node& node) {
  std::vector<std::string> words;
  if (node.is_sequence()) {
    for (const yaml::Node& item : node.items) {
      auto word = texts.text(item, "shell", "a word");
      if (!word) return std::nullopt;
      words.push_back(std::move(*word));
    }
  } else {
    auto text = texts.text(node, "shell", "a command such as /bin/bash -eo pipefail");
    if (!text) return std::nullopt;
    auto split = split_words(*text);
    if (!split) {
      texts.reader().fail(node, fmt::format("shell: {}", split.error().text));
      return std::nullopt;
    }
    words = std::move(*split);
  }
  if (words.empty()) {
    texts.reader().fail(node, "shell: expected a command such as /bin/bash -eo pipefail, not nothing");
    return std::nullopt;
  }
  if (words.front().find("powershell") != std::string::npos || words.front().ends_with(".exe")) {
    texts.reader().refuse(node, "windows");
    return std::nullopt;
  }
  return words;
}

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  double seconds = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    double number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (error != std::errc() || number < 0 || !std::isfinite(number) || text.empty()) return std::nullopt;
    std::size_t unit = std::string_view("smh").find(text.front());
    if (unit == std::string_view::npos) return std::nullopt;
    text.remove_prefix(1);
    seconds += number * std::pow(60, static_cast<double>(unit));
  }
  if (seconds > static_cast<double>(std::chrono::seconds(kLongestTimeout).count())) return std::nullopt;
  return std::chrono::seconds(static_cast<std::int64_t>(std::max(1.0, std::ceil(seconds))));
}

}  // namespace kist::dialect::circleci
