// What a home keeps, as the tasks of one run act on it (model::Objects); and what goes with a run that is removed.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "engine/engine.hpp"
#include "model/objects.hpp"
#include "model/record.hpp"

namespace kist::engine {

// `run`: its name, dialect, project and request are looked at. `say` hears lines for the task's log.
class RunObjects final : public model::Objects {
 public:
  RunObjects(const Parts& parts, const model::RunRecord& run, std::function<void(std::string_view)> say)
      : parts_(parts), run_(run), say_(std::move(say)) {}

  const std::string& run_name() const override { return run_.name; }
  std::string random_suffix() override;
  void say(std::string_view text) override { say_(text); }
  Result<Document> document(std::string_view kind, std::string_view name) override;
  Result<std::vector<std::string>> documents(std::string_view kind, bool kept) override;
  Status put_document(const Document& document) override;
  Status remove_document(std::string_view kind, std::string_view name) override;
  Result<std::vector<std::string>> secrets() override;
  Result<Values> secret(std::string_view name) override;
  Status put_secret(std::string_view name, const Values& values) override;
  Status remove_secret(std::string_view name) override;
  Status remove_claim(std::string_view name) override;
  Result<std::vector<std::string>> runs() override;
  Result<model::RunRecord> run(std::string_view name) override;
  Result<std::string> start_run(const std::string& workflow) override;
  Status mark_run(std::string_view name, const model::Marks& marks) override;
  Status ask_run(std::string_view name, Ask what) override;
  Status remove_run(std::string_view name) override;
  Status own(std::string_view sort, std::string_view name, bool made) override;

  // The values of secrets that went through here since it was last asked.
  std::vector<std::string> take_secrets();

 private:
  Result<const std::vector<Document>*> own_documents();
  void note_secrets(const Values& values);

  const Parts& parts_;
  const model::RunRecord& run_;
  const std::function<void(std::string_view)> say_;
  std::mutex mutex_;
  std::vector<std::string> secrets_;          // guarded by mutex_
  std::optional<std::vector<Document>> own_;  // of the run's files, once they were read; guarded by mutex_ until then
};

// Removes what a run owns and no other run does, runs that go on after they were aborted. See remove_run().
Status remove_owned(const Parts& parts, std::string_view run, bool force,
                    const std::function<void(const std::string&)>& notice);

}  // namespace kist::engine
