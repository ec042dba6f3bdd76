#include "cli/hera_module.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/process.hpp"
#include "cli/hera_driver.hpp"
#include "task/host.hpp"

namespace kist::cli {

namespace fs = std::filesystem;

namespace {

struct Document {
  std::string kind;
  std::string yaml;
};

// Whether a line is `import hera…` or `from hera… import`, indented or not.
bool imports_hera(std::string_view line) {
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return false;
  line.remove_prefix(begin);
  for (const std::string_view word : {"import ", "from "}) {
    if (!line.starts_with(word)) continue;
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(' ', word.size())));
    if (!line.starts_with("hera")) return false;
    line.remove_prefix(4);
    return line.empty() || !(std::isalnum(static_cast<unsigned char>(line.front())) || line.front() == '_');
  }
  return false;
}

Result<std::string> interpreter(const fs::path& project) {
  const auto host = task::host_for(project);
  for (const std::string_view name : {"python", "python3"})
    if (const auto found = task::find_program(host->programs, name)) return found->string();
  return fail(ErrorKind::not_found,
              "a Hera module needs Python: install python3, or make a virtual environment .venv in the project");
}

// The lines that the driver wrote. Errors: invalid, with its words.
Result<std::vector<Document>> documents_of(std::string_view lines, int exit_code) {
  std::vector<Document> documents;
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    KIST_TRY_ASSIGN(const auto line, parse_json(lines.substr(0, end)));
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (line.contains("end")) return documents;
    if (line.contains("error")) {
      const auto& said = line["error"].get_ref<const std::string&>();
      return fail(ErrorKind::invalid,
                  said.empty() ? "the module fails; kist expects one that Python imports without an error" : said);
    }
    documents.push_back({line["kind"].get<std::string>(), line["yaml"].get<std::string>()});
  }
  return fail(ErrorKind::invalid, fmt::format("Python ended with exit code {} while it read the module", exit_code));
}

void append(std::string& text, const Document& document) {
  if (!text.empty()) text += "---\n";
  text += document.yaml;
}

}  // namespace

bool is_hera_module(const fs::path& name, std::string_view text) {
  if (name.extension() != ".py") return false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    if (imports_hera(text.substr(0, end))) return true;
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return false;
}

fs::path project_of_module(const fs::path& file, const fs::path& directory) {
  std::error_code failed;
  auto at = fs::canonical(directory / file, failed).parent_path();
  const auto from = failed ? fs::path() : fs::canonical(directory, failed);
  if (failed) return directory;
  const auto [end, ignored] = std::ranges::mismatch(from, at);
  if (end == from.end()) return directory;
  while (fs::exists(at / "__init__.py", failed) && at.has_relative_path()) at = at.parent_path();
  return at;
}

Result<HeraModule> read_hera_module(const std::string& name, const fs::path& project) {
  KIST_TRY_ASSIGN(const auto python, interpreter(project));
  KIST_TRY_ASSIGN(const auto done, run_process({.arguments = {python, "-c", std::string(kHeraDriver), name, project},
                                                .environment = {},
                                                .directory = {},
                                                .input = {},
                                                .timeout = {},
                                                .on_terminal = true}));
  auto documents = documents_of(done.output, done.exit_code);
  if (!documents) return std::unexpected(with_context(name, std::move(documents).error()));

  // The places in errors are those of the YAML.
  HeraModule module{.all = {fmt::format("YAML of {}", name), ""}, .runs = {}};
  for (const auto& document : *documents) append(module.all.text, document);
  for (const auto& document : *documents) {
    if (document.kind != "Workflow") continue;
    auto& run = module.runs.emplace_back(model::SourceText{module.all.name, document.yaml});
    for (const auto& other : *documents)
      if (other.kind != "Workflow") append(run.text, other);
  }
  if (documents->empty()) {
    return fail(
        ErrorKind::invalid,
        fmt::format("{}: the module defines no workflow; kist expects `with Workflow(…) as w:` at its top, in a "
                    "function that is called when it is imported, or below `if __name__ == \"__main__\":`",
                    name));
  }
  return module;
}

}  // namespace kist::cli
