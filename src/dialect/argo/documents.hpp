// The documents of workflow files, and which of them is to be run. A file holds several (`---`); JSON is YAML. A bare
// WorkflowSpec without a kind is how Onepanel writes a workflow; its database keeps it below `spec`, beside a metadata
// of its own, which names the kind.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/yaml.hpp"
#include "model/dialect.hpp"
#include "model/record.hpp"

namespace kist::dialect::argo {

struct Document {
  enum class Form {
    workflow,  // kind Workflow
    bare,      // Onepanel: the document is the spec
    stored,    // Onepanel: metadata (with the kind) and spec
    other,     // another kind, or nothing kist knows
  };
  Form form = Form::other;
  std::string file;
  std::string kind;  // of `other`, empty where it has none
  std::string name;  // what the workflow is called: metadata.name, metadata.generateName or the file's name
  std::string help;  // from its annotations: one line
  yaml::Node root;

  bool is_workflow() const { return form != Form::other; }
  model::Origin origin() const { return {file, root.mark.line, root.mark.column}; }
};

// All documents of the files. Errors: invalid (YAML that cannot be read).
Result<std::vector<Document>> read_documents(const std::vector<model::SourceText>& files);

// The workflow that `name` asks for; empty: the only one. Errors: not_found, invalid (several; the text names them),
// unsupported (only kinds that kist does not run yet).
Result<const Document*> choose(const std::vector<Document>& documents, std::string_view name);

// Whether a text is a workflow file of Argo or Onepanel; where it is malformed, by its first words.
bool is_workflow_file(std::string_view text);

// The file's name without directories and extension, as a name of Kubernetes.
std::string name_of_file(std::string_view file);

}  // namespace kist::dialect::argo
