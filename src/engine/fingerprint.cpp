// Each struct of the model is taken apart into all of its fields: a field that is added to the model does not compile
// here until somebody has decided what it means.
#include "engine/fingerprint.hpp"

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>

namespace kist::engine {
namespace {

using model::Text;

// Changes whenever the same task would be written otherwise here.
constexpr std::string_view kVersion = "kist task 4";

// Values one behind the other, each so that it cannot be taken for another; or that it cannot be told.
class Writer {
 public:
  Writer(const std::function<std::optional<Digest>()>& project, const FindSecret& secrets)
      : project_(project), secrets_(secrets) {}

  std::optional<std::string> finish() {
    if (!known_) return std::nullopt;
    return sha_.finish().to_string();
  }

  void add(std::string_view text) {
    sha_.update(fmt::format("{}:", text.size()));
    sha_.update(text);
  }
  void add(const std::string& text) { add(std::string_view(text)); }
  void add(const Text& text) { add(text.source()); }
  void add(const Digest& digest) { add(digest.hex()); }
  template <typename Number>
    requires(std::integral<Number> || std::is_enum_v<Number>)
  void add(Number number) {
    sha_.update(fmt::format("{},", static_cast<std::int64_t>(number)));
  }
  template <typename Rep, typename Period>
  void add(const std::chrono::duration<Rep, Period>& duration) {
    add(static_cast<std::int64_t>(duration.count()));
  }
  template <typename T>
  void add(const std::optional<T>& value) {
    add(value.has_value());
    if (value) add(*value);
  }
  template <typename T>
  void add(const std::vector<T>& items) {
    add(items.size());
    for (const T& item : items) add(item);
  }

  void add(const model::SecretReference& secret) {
    const auto& [name, key, optional] = secret;
    add_all(name, key, optional);
    add_values(name.source(), key.source());
  }
  void add(const model::EnvironmentVariable& variable) {
    const auto& [name, value, secret, of_run, late_name, in_units] = variable;  // bound: units are counted
    add_all(name, secret, of_run);
    if (!of_run) add(value);
  }
  void add(const model::Container::SecretVariables& variables) {
    const auto& [secret, prefix, optional] = variables;
    add_all(secret, prefix, optional);
    add_values(secret.source(), "");
  }
  void add(const model::VolumeMount& mount) {
    const auto& [volume, path, sub_path, read_only] = mount;
    add_all(volume, path, sub_path, read_only);
  }
  void add(const model::Volume::File& file) {
    const auto& [path, text, secret, mode, in_units] = file;  // bound: units are counted
    add_all(path, text, secret, mode);
  }
  void add(const model::Volume& volume) {
    using Kind = model::Volume::Kind;
    const auto& [name, kind, claim, path, files, mode, late_name, host] = volume;
    known_ = known_ && (kind == Kind::empty || kind == Kind::files);
    add_all(name, kind, claim, path, files, mode);
  }
  void add(const model::Container& container) {
    const auto& [name, image, environment, directory, inherited, inherits, secrets, mounts] = container;
    add_all(name, image, environment, directory, inherits, secrets, mounts);
    for (const std::string& variable : inherited) {
      const char* value = std::getenv(variable.c_str());
      add_all(variable, value == nullptr ? std::optional<std::string>() : std::optional<std::string>(value));
    }
  }

  void add(const model::Archive& archive) {
    const auto& [kind, level] = archive;
    add_all(kind, level);
  }
  void add(const model::When& when) {
    const auto& [success, failure, stopped, aborted] = when;
    add_all(success, failure, stopped, aborted);
  }
  void add(const model::Probe& probe) {
    const auto& [command, url, port, delay, period, failures] = probe;
    add_all(command, url, port, delay, period, failures);
  }
  void add(const model::Load& load) {
    const auto& [source, path, mode, recurse, optional] = load;  // what the source stands for is added apart
    add_all(path, mode, recurse, optional);
  }
  void add(const model::Run& run) {
    const auto& [command, script, script_path, environment, directory, background, ready, grace, is_main, deadline,
                 tries, retry_delay, no_output, shown, progress, image_program, expand, terminal, starter, end_counts,
                 error_code, pause] = run;  // what comes of it is the same with a starter or a pause
    add_all(command, script, script_path, environment, directory, background, ready, grace, is_main, deadline, tries,
            retry_delay, no_output, shown, progress, image_program, expand, terminal, end_counts, error_code);
  }
  void add(const model::Save& save) {
    const auto& [name, path, missing, archive, directories, exclude, to, global, collect, late_name] =
        save;  // bound: no name is late
    // Under a key of this home they are put again; what lies elsewhere may be gone.
    known_ = known_ && (!to || to->kind == "key") && collect == model::Save::Collect::never;
    add_all(name, path, missing, archive, directories, exclude, global);
  }
  void add(const model::Read& read) {
    const auto& [parameter, path, fallback, global, late_name] = read;
    add_all(parameter, path, fallback, global);
  }
  void add(const model::Watch&) { known_ = false; }
  void add(const model::HttpRequest&) { known_ = false; }
  void add(const model::ListRequest&) { known_ = false; }
  void add(const model::ObjectRequest&) { known_ = false; }
  void add(const model::Action& action) {
    const auto& [title, container, when, origin, what, after] = action;
    add_all(title, container, when, what.index(), after);
    std::visit([this](const auto& one) { add(one); }, what);
  }
  void add(const model::LogArtifact& log) {
    const auto& [name, to] = log;
    known_ = known_ && (!to || to->kind == "key");
    add(name);
  }
  void add(const model::Task& task) {
    const auto& [containers, volumes, actions, fresh, capture, as_root, daemon, log, uses_project] = task;
    known_ = known_ && !daemon;
    add_all(containers, volumes, actions, fresh, capture, as_root, log);
    if (uses_project) add_project();
  }

  void add(const task::ResolvedLoad::Tree& tree) {
    const auto& [prefix, artifact, sub_path] = tree;
    add_all(prefix, artifact.tree, sub_path);
  }
  void add(const task::ResolvedLoad& load) {
    const auto& [absent, trees, raw, project, external] = load;
    known_ = known_ && !external;
    add_all(absent, trees, raw, project);
    if (project) add_project();
  }

 private:
  template <typename... Values>
  void add_all(const Values&... values) {
    (add(values), ...);
  }

  void add_project() {
    if (!known_) return;
    if (auto state = project_())
      add(*state);
    else
      known_ = false;
  }

  // Of one key, or of all.
  void add_values(std::string_view secret, std::string_view key) {
    if (!known_) return;
    const auto values = secrets_(secret);
    known_ = values.has_value();
    if (!known_) return;
    add(values->has_value());
    if (!*values) return;
    for (const auto& [name, value] : **values)
      if (key.empty() || name == key) add_all(name, sha256(value));
  }

  const std::function<std::optional<Digest>()>& project_;
  const FindSecret& secrets_;
  Sha256 sha_;
  bool known_ = true;
};

}  // namespace

std::optional<std::string> fingerprint_of(const task::Document& document,
                                          const std::function<std::optional<Digest>()>& project,
                                          const FindSecret& secrets) {
  Writer writer(project, secrets);
  writer.add(kVersion);
  writer.add(document.task);
  for (const auto& [index, load] : document.loads) {
    writer.add(index);
    writer.add(load);
  }
  return writer.finish();
}

}  // namespace kist::engine
