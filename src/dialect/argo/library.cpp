// A document is found in its text by the lines that part documents (`---`): what is taken out of a text leaves its
// lines empty, so that the places of all the rest stay true.
#include "dialect/argo/library.hpp"

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

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

// The lines of a text, each with its end; of which document, counted from 0, each is; and which begin one (`---`, with
// what stands behind it). A line `...` is the last of the document that it ends.
struct Lines {
  std::vector<std::string_view> texts;
  std::vector<int> documents;
  std::vector<bool> separators;
};

bool is_marker(std::string_view line, std::string_view marker) {
  return line.starts_with(marker) && (line.size() == 3 || line.find_first_of(" \t\r\n") == 3);
}

Lines lines_of(std::string_view text) {
  Lines lines;
  int document = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end == std::string_view::npos ? end : end + 1);
    text.remove_prefix(line.size());
    const bool begins = is_marker(line, "---");
    if (begins) ++document;
    lines.texts.push_back(line);
    lines.documents.push_back(document);
    lines.separators.push_back(begins);
    if (is_marker(line, "...")) ++document;
  }
  return lines;
}

// The text with only the lines for which `keep` says so; of the others the line ends are left, and that a document
// begins.
template <typename Keep>
std::string keep_lines(const Lines& lines, Keep keep) {
  std::string text;
  for (std::size_t index = 0; index < lines.texts.size(); ++index) {
    if (keep(index)) {
      text += lines.texts[index];
      continue;
    }
    if (lines.separators[index]) text += "---";
    if (lines.texts[index].ends_with('\n')) text += '\n';
  }
  return text;
}

int document_at(const Lines& lines, int line) {
  const std::size_t index = static_cast<std::size_t>(std::max(line, 1) - 1);
  return index < lines.documents.size() ? lines.documents[index] : -1;
}

bool reads_as(std::string_view text, std::string_view lower_case) {
  return std::ranges::equal(text, lower_case, {}, [](unsigned char c) { return std::tolower(c); });
}

// Also of a version or a spelling that no secret has: what is written in it is no less secret.
bool holds_secret(const yaml::Node& root) {
  for (const auto& [key, value] : root.entries)
    if (reads_as(key.text, "kind") && (reads_as(value.text, "secret") || reads_as(value.text, "secretlist")))
      return true;
  const yaml::Node* items = items_of_list(root);
  return items != nullptr && std::ranges::any_of(items->items, holds_secret);
}

// The lines of an item: the one with its dash, and what is indented deeper. False: it is written in another way.
bool take_item(const Lines& lines, yaml::Mark mark, std::set<std::size_t>& taken) {
  const std::size_t index = static_cast<std::size_t>(std::max(mark.line, 1) - 1);
  if (index >= lines.texts.size()) return false;
  const std::string_view first = lines.texts[index];
  const std::size_t dash = first.find_first_not_of(' ');
  if (dash == std::string_view::npos || first[dash] != '-') return false;
  if (first.find_first_not_of(' ', dash + 1) + 1 != static_cast<std::size_t>(mark.column)) return false;
  const int document = lines.documents[index];
  taken.insert(index);
  for (std::size_t next = index + 1; next < lines.texts.size() && lines.documents[next] == document; ++next) {
    const std::size_t begin = lines.texts[next].find_first_not_of(" \t\r\n");
    if (begin != std::string_view::npos && begin <= dash && lines.texts[next][begin] != '#') break;
    taken.insert(next);
  }
  return true;
}

// What documents say, to be compared.
Json contents(const std::vector<yaml::Node>& roots) {
  Json all = Json::array();
  for (const yaml::Node& root : roots)
    if (!root.is_null()) all.push_back(yaml::to_json(root));
  return all;
}

// A List without its items that are secrets.
yaml::Node without_items(yaml::Node root) {
  if (items_of_list(root) == nullptr) return root;
  for (auto& [key, value] : root.entries) {
    if (key.text != "items") continue;
    std::erase_if(value.items, holds_secret);
    if (value.items.empty()) value.kind = yaml::Kind::null;
  }
  return root;
}

// A document by itself, its lines where they are as far as that can be.
std::string text_alone(const Lines& lines, const Document& document) {
  const int own = document_at(lines, document.root.mark.line);
  if (!document.listed) {
    std::string text = keep_lines(lines, [&](std::size_t index) { return lines.documents[index] == own; });
    const auto roots = parse_documents(text, "");
    if (roots && contents(*roots) == contents({document.root})) return text;
  }
  return std::string(static_cast<std::size_t>(std::max(document.root.mark.line, 1) - 1), '\n') +
         to_text(yaml::to_json(document.root)) + "\n";
}

}  // namespace

Result<std::string> blank_secrets(const model::SourceText& file) {
  auto roots = parse_documents(file.text, file.name);
  if (!roots) return file.text;  // what is wrong with it is said where it is lowered
  const yaml::Node* secret = nullptr;
  const Lines lines = lines_of(file.text);
  std::set<int> documents;
  std::set<std::size_t> taken;
  std::vector<yaml::Node> others;
  bool is_told = true;
  for (const yaml::Node& root : *roots) {
    if (!holds_secret(root)) {
      others.push_back(root);
      continue;
    }
    secret = &root;
    const yaml::Node* items = items_of_list(root);
    if (items == nullptr) {
      documents.insert(document_at(lines, root.mark.line));
      continue;
    }
    for (const yaml::Node& item : items->items)
      if (holds_secret(item)) is_told = take_item(lines, item.mark, taken) && is_told;
    others.push_back(without_items(root));
  }
  if (secret == nullptr) return file.text;
  std::string text = keep_lines(
      lines, [&](std::size_t index) { return !documents.contains(lines.documents[index]) && !taken.contains(index); });
  // Only what says all the rest, and nothing else, is without them.
  auto left = parse_documents(text, file.name);
  if (is_told && left && contents(*left) == contents(others)) return text;
  return fail(
      ErrorKind::invalid,
      fmt::format("{}: there is a Secret, and which lines are its own cannot be told: it would be kept with the "
                  "run. Write it as a document of its own, after a line ---, or keep it with `kist secrets add`",
                  model::to_string(model::Origin{file.name, secret->mark.line, secret->mark.column})));
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
      auto text = blank_secrets(*candidate.source);
      if (!text) continue;
      found.push_back({candidate.source->name, std::move(*text)});
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
      kept.source = {file.name, text_alone(lines, document)};
    }
    all.push_back(std::move(kept));
  }
  return all;
}

}  // namespace kist::dialect::argo
