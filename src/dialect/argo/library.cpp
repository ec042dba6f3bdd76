// A document is found in its text by the lines that part documents (`---`): what is taken out of a text leaves its
// lines empty, so that the places of all the rest stay true.
#include "dialect/argo/library.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "dialect/argo/documents.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

// A document somebody refers to.
using Need = std::pair<Document::Form, std::string>;

void collect(const yaml::Node& node, std::set<Need>& needs) {
  for (const yaml::Node& item : node.items) collect(item, needs);
  for (const auto& [key, value] : node.entries) {
    const std::string_view name = text_at(value, {"name"});
    if (!name.empty()) {
      if (key.text == "templateRef" || key.text == "workflowTemplateRef")
        needs.emplace(
            text_at(value, {"clusterScope"}) == "true" ? Document::Form::cluster_library : Document::Form::library,
            name);
      if (key.text == "configMapKeyRef" || key.text == "configMapRef" || key.text == "configMap")
        needs.emplace(Document::Form::config_map, name);
    }
    if (key.text == "artifactRepositoryRef") {
      const std::string_view map = text_at(value, {"configMap"});
      needs.emplace(Document::Form::config_map, map.empty() ? "artifact-repositories" : map);
    }
    collect(value, needs);
  }
}

// The lines of a text, each with its end; and of which document, counted from 0, each is.
struct Lines {
  std::vector<std::string_view> texts;
  std::vector<int> documents;
  std::vector<bool> separators;
};

Lines lines_of(std::string_view text) {
  Lines lines;
  int document = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end == std::string_view::npos ? end : end + 1);
    text.remove_prefix(line.size());
    const bool parts = line.starts_with("---") && (line.size() == 3 || line.find_first_of(" \t\r\n") == 3);
    if (parts) ++document;
    lines.texts.push_back(line);
    lines.documents.push_back(document);
    lines.separators.push_back(parts);
  }
  return lines;
}

// The text with only the lines of those documents for which `keep` says so; of the others the line ends are left.
template <typename Keep>
std::string keep_lines(const Lines& lines, Keep keep) {
  std::string text;
  for (std::size_t index = 0; index < lines.texts.size(); ++index) {
    if (lines.separators[index] || keep(lines.documents[index]))
      text += lines.texts[index];
    else if (lines.texts[index].ends_with('\n'))
      text += '\n';
  }
  return text;
}

int document_at(const Lines& lines, int line) {
  const std::size_t index = static_cast<std::size_t>(std::max(line, 1) - 1);
  return index < lines.documents.size() ? lines.documents[index] : -1;
}

}  // namespace

std::string blank_secrets(std::string_view text) {
  if (!text.contains("Secret")) return std::string(text);
  auto documents = read_documents({{"", std::string(text)}});
  if (!documents) return std::string(text);
  const Lines lines = lines_of(text);
  std::set<int> secret;
  for (const Document& document : *documents)
    if (document.form == Document::Form::secret) secret.insert(document_at(lines, document.root.mark.line));
  if (secret.empty()) return std::string(text);
  return keep_lines(lines, [&](int document) { return !secret.contains(document); });
}

bool has_all(const model::RunRequest& request) {
  auto documents = read_documents(request.files, request.library);
  if (!documents) return true;
  std::set<Need> needs;
  for (const Document& document : *documents) collect(document.root, needs);
  for (const Document& document : *documents)
    needs.erase({document.form, std::string(text_at(document.root, {"metadata", "name"}))});
  return needs.empty();
}

namespace {

// A name may be made of references: then all that it may be is needed.
bool is_needed(const std::set<Need>& needs, const Need& need) {
  return needs.contains(need) || std::ranges::any_of(needs, [&](const Need& each) {
           return is_late(each.second) && each.first == need.first && may_be(each.second, need.second);
         });
}

}  // namespace

std::vector<model::SourceText> find_library(const model::RunRequest& request,
                                            const std::vector<model::SourceText>& candidates, bool implied) {
  auto given = read_documents(request.files, request.library);
  if (!given) return {};
  std::set<Need> needs;
  std::set<Need> there;
  auto add = [&](const std::vector<Document>& documents) {
    for (const Document& document : documents) {
      collect(document.root, needs);
      there.emplace(document.form, text_at(document.root, {"metadata", "name"}));
    }
  };
  add(*given);
  if (implied)
    for (const char* name : {"artifact-repositories", "workflow-controller-configmap"})
      needs.emplace(Document::Form::config_map, name);

  struct Candidate {
    const model::SourceText* source;
    std::vector<Document> documents;
    bool taken = false;
  };
  std::vector<Candidate> readable;
  for (const model::SourceText& source : candidates)
    if (auto documents = read_documents({source})) readable.push_back({&source, std::move(*documents)});

  std::vector<model::SourceText> found;
  for (bool grown = true; grown;) {
    grown = false;
    for (Candidate& candidate : readable) {
      if (candidate.taken) continue;
      const bool needed = std::ranges::any_of(candidate.documents, [&](const Document& document) {
        const Need need{document.form, std::string(text_at(document.root, {"metadata", "name"}))};
        return is_needed(needs, need) && !there.contains(need);
      });
      if (!needed) continue;
      candidate.taken = grown = true;
      found.push_back({candidate.source->name, blank_secrets(candidate.source->text)});
      add(candidate.documents);
    }
  }
  return found;
}

std::vector<model::SourceText> find_written_maps(const model::RunRequest& request,
                                                 const std::vector<model::SourceText>& written) {
  auto given = read_documents(request.files, request.library);
  if (!given) return {};
  std::set<Need> needs;
  for (const Document& document : *given) collect(document.root, needs);
  std::vector<model::SourceText> found;
  for (const model::SourceText& text : written) {
    auto documents = read_documents({text});
    if (!documents) continue;
    const bool needed = std::ranges::any_of(*documents, [&](const Document& document) {
      return document.form == Document::Form::config_map &&
             is_needed(needs, {document.form, std::string(text_at(document.root, {"metadata", "name"}))});
    });
    if (needed) found.push_back(text);
  }
  return found;
}

Result<std::vector<model::Dialect::Kept>> split_kept(const model::SourceText& file) {
  KIST_TRY_ASSIGN(const std::vector<Document> documents, read_documents({file}));
  const Lines lines = lines_of(file.text);
  std::vector<model::Dialect::Kept> all;
  for (const Document& document : documents) {
    using Form = Document::Form;
    if (document.form == Form::workflow || document.form == Form::bare || document.form == Form::stored ||
        document.form == Form::other)
      continue;
    model::Dialect::Kept kept;
    kept.kind = document.kind;
    kept.name = text_at(document.root, {"metadata", "name"});
    if (document.form == Form::secret) {
      kept.secret = values_of(document);
    } else {
      const int own = document_at(lines, document.root.mark.line);
      kept.source = {file.name, keep_lines(lines, [&](int other) { return other == own; })};
    }
    all.push_back(std::move(kept));
  }
  return all;
}

}  // namespace kist::dialect::argo
