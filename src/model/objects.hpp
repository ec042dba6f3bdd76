// What a home keeps that a system's manifests speak of, as a dialect reaches it while a task of a run asks for it
// (Dialect::act_on_object). Who implements it knows nothing of manifests; who uses it knows nothing of where things
// lie.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/record.hpp"

namespace kist::model {

// Thread-safe; lives as long as the call it is given to.
class Objects {
 public:
  virtual ~Objects() = default;

  // The run on whose behalf this is done.
  virtual const std::string& run_name() const = 0;
  // Five characters of chance, for the end of a name.
  virtual std::string random_suffix() = 0;
  // Says to whoever reads the task's log what was done.
  virtual void say(std::string_view text) = 0;

  // ---- documents, by the kinds and names of Dialect::kept_documents()
  struct Document {
    std::string kind;
    std::string name;
    std::string text;
    bool kept = true;
  };
  // The one that is kept, else what stands in the files of the run itself. Errors: not_found.
  virtual Result<Document> document(std::string_view kind, std::string_view name) = 0;
  // Their names, of those that are kept first; `kept`: of those alone.
  virtual Result<std::vector<std::string>> documents(std::string_view kind, bool kept) = 0;
  virtual Status put_document(const Document& document) = 0;  // in place of one of its kind and name
  virtual Status remove_document(std::string_view kind, std::string_view name) = 0;  // not_found

  // ---- secrets: all keys of one
  using Values = std::map<std::string, std::string>;
  virtual Result<std::vector<std::string>> secrets() = 0;
  virtual Result<Values> secret(std::string_view name) = 0;  // not_found
  virtual Status put_secret(std::string_view name, const Values& values) = 0;
  virtual Status remove_secret(std::string_view name) = 0;  // not_found

  // Removes what tasks have left in a claim; nothing where there is none.
  virtual Status remove_claim(std::string_view name) = 0;

  // ---- runs
  virtual Result<std::vector<std::string>> runs() = 0;       // their names
  virtual Result<RunRecord> run(std::string_view name) = 0;  // not_found
  // Starts a run of the workflow in this text, which goes on by itself; its name. What the text refers to is looked
  // for among the documents and beside the files of the run that asks. Errors: those of submitting it.
  virtual Result<std::string> start_run(const std::string& workflow) = 0;
  virtual Status mark_run(std::string_view name, const Marks& marks) = 0;
  enum class Ask { stop, abort, approve };
  virtual Status ask_run(std::string_view name, Ask what) = 0;
  // One that is going on is aborted first. Errors: not_found, conflict (the run that asks; one that does not end).
  virtual Status remove_run(std::string_view name) = 0;

  // What is removed with the run that asks, once no other run owns it. `sort`: "run", "secret", "claim", or the kind of
  // a document. `made`: by this call; what was there already is owned only where another run owns it, for what people
  // have put there is nobody's to remove. What is removed is owned no more, whatever gets its name later.
  virtual Status own(std::string_view sort, std::string_view name, bool made) = 0;
};

}  // namespace kist::model
