// The documents of workflow files, and which of them is to be run. A file holds several (`---`); JSON is YAML. A bare
// WorkflowSpec without a kind is how Onepanel writes a workflow; its database keeps it below `spec`, beside a metadata
// of its own, which names the kind. Beside workflows there are the documents they refer to: templates of others, config
// maps, secrets and claims.
#pragma once

#include <optional>
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
    workflow,         // kind Workflow
    library,          // WorkflowTemplate
    cluster_library,  // ClusterWorkflowTemplate
    cron,             // CronWorkflow
    bare,             // Onepanel: the document is the spec
    stored,           // Onepanel: metadata (with the kind) and spec
    config_map,
    secret,
    claim,  // PersistentVolumeClaim
    other,  // another kind, or nothing kist knows
  };
  Form form = Form::other;
  std::string file;
  std::string kind;  // empty where it has none
  std::string name;  // what the workflow is called: metadata.name, metadata.generateName or the file's name
  std::string help;  // from its annotations: one line
  yaml::Node root;
  bool supporting = false;  // of a text that is there to be referred to: never meant by `choose`
  bool listed = false;      // an item of a List: its lines hold no document by themselves

  // Whether it can be asked for: a workflow, or what one is made of.
  bool is_workflow() const { return form <= Form::stored; }
  // Whether it is meant where no name is given: what is no template of others.
  bool is_primary() const {
    return is_workflow() && form != Form::library && form != Form::cluster_library && !supporting;
  }
  model::Origin origin() const { return {file, root.mark.line, root.mark.column}; }
};

// The documents of one text as they are written, null where there is nothing in one. Errors: invalid.
Result<std::vector<yaml::Node>> parse_documents(std::string_view text, std::string_view name);

// The items of a `kind: List`, as kubectl writes several objects in one document; nullptr: it is none.
const yaml::Node* items_of_list(const yaml::Node& root);

// All documents of the files, items of Lists as documents of their own, then those of the library; marks are numbered
// by text in this order. Errors: invalid (YAML that cannot be read).
Result<std::vector<Document>> read_documents(const std::vector<model::SourceText>& files,
                                             const std::vector<model::SourceText>& library = {});

// The workflow that `name` asks for; empty: the only one. Errors: not_found, invalid (several; the text names them),
// unsupported (only kinds that kist does not run yet).
Result<const Document*> choose(const std::vector<Document>& documents, std::string_view name);

// The document of a kind and name, nullptr where there is none. The first wins: what is nearer is read first.
const Document* find_document(const std::vector<Document>& documents, Document::Form form, std::string_view name);

// The text of a key of a config map; nullopt: there is no such map or key.
std::optional<std::string> find_config(const std::vector<Document>& documents, std::string_view map,
                                       std::string_view key);

// The keys and values of a config map or of a secret (as they are, base64 undone).
std::vector<std::pair<std::string, std::string>> values_of(const Document& document);

// The text of a scalar below a path of keys, empty where there is none.
std::string_view text_at(const yaml::Node& node, std::initializer_list<std::string_view> keys);

// Whether a text is a workflow file of Argo or Onepanel, or what such a file refers to; where it is malformed, by its
// first words.
bool is_workflow_file(std::string_view text);

// The file's name without directories and extension, as a name of Kubernetes.
std::string name_of_file(std::string_view file);

}  // namespace kist::dialect::argo
