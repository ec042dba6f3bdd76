#include "dialect/argo/hera_runner.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "dialect/argo/hera_starter_text.hpp"

namespace kist::dialect::argo {
namespace {

// python, python3, python3.12
bool is_python(std::string_view word) {
  constexpr std::string_view kName = "python";
  if (!word.starts_with(kName)) return false;
  word.remove_prefix(kName.size());
  if (word.empty() || word == "3") return true;
  return word.starts_with("3.") && word.size() > 2 &&
         std::ranges::all_of(word.substr(2), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<model::Starter> hera_starter(const Program& program) {
  std::vector<std::string_view> words;
  for (const auto* part : {&program.command, &program.arguments})
    for (const Scalar& word : *part) words.push_back(word.text);
  if (program.command.empty() || words.size() < 3 || !is_python(words[0])) return std::nullopt;
  if (words[1] != "-m" || words[2] != "hera.workflows.runner") return std::nullopt;
  return model::Starter{.text = std::string(kHeraStarter), .indifferent = {"ARGO_", "hera__", "PYTHONPATH="}};
}

}  // namespace kist::dialect::argo
