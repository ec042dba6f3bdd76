// The secrets of one task: asked for when they are used, and hidden in all that the task says from then on.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"
#include "model/location.hpp"
#include "task/mask.hpp"
#include "task/task.hpp"

namespace kist::task {

// A task's engine as the task sees it: what goes through to it has the secrets hidden that came from it. Thread-safe.
class MaskedServices final : public TaskServices {
 public:
  // `hidden`: values that other tasks of the run made of secrets: hidden from the beginning.
  MaskedServices(TaskServices& services, const std::vector<std::string>& hidden) : services_(services) {
    for (const std::string& value : hidden) mask_.add(value);
  }

  // The value of one key; nullopt: there is none, and the reference says that this is fine. Errors: not_found.
  Result<std::optional<std::string>> value(const model::SecretReference& reference);
  // Every key; nullopt as above.
  Result<std::optional<SecretValues>> values(std::string_view name, bool optional);
  // A text of kist's own with the secrets hidden.
  std::string hide(std::string_view text);

  // Which values to hide stand in a text.
  std::vector<std::string> secrets_in(std::string_view text);

  // Writes what the task's own container says into a file as well, from now on; and its end, with the file's path.
  Status begin_copy(const std::filesystem::path& file);
  Result<std::filesystem::path> end_copy();

  // What is held back because it may be the beginning of a secret goes out: the streams have ended.
  void flush();
  // The same of one named container: its process has ended.
  void flush_of(std::string_view container);

  void started() override { services_.started(); }
  void log(Stream stream, std::string_view bytes) override { log_of("", stream, bytes); }
  // The same, of a container whose lines are to begin with its name; empty: without.
  void log_of(std::string_view container, Stream stream, std::string_view bytes);
  Status publish(const model::ArtifactRecord& artifact) override { return services_.publish(artifact); }
  void report(std::string_view progress) override { services_.report(hide(progress)); }
  void ready(std::string_view address) override { services_.ready(address); }
  void fetched(const model::ArtifactRecord& artifact) override { services_.fetched(artifact); }
  Result<SecretValues> secret(std::string_view name) override;
  Result<std::vector<std::string>> keys_below(std::string_view key) override { return services_.keys_below(key); }
  Result<ActedOn> act_on_object(const model::ObjectRequest& request) override;

 private:
  struct Line {
    MaskedStream masked;
    std::string unfinished;  // of a container that is named: lines go out whole
  };
  void pass_on(const std::string& container, Stream stream, Line& line, const std::string& text, bool is_end);

  TaskServices& services_;
  std::mutex mutex_;  // of what follows
  Mask mask_;
  std::map<std::string, SecretValues, std::less<>> known_;
  std::map<std::pair<std::string, Stream>, Line> lines_;
  FileDescriptor copy_;
  std::filesystem::path copy_path_;
  Status copied_;
};

}  // namespace kist::task
