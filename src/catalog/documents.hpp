// The documents of a home: templates, config maps and schedules that workflows refer to, kept for runs to come. Each is
// a file, KIST_HOME/documents/KIND/NAME.yaml, written whole or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "catalog/home.hpp"

namespace kist::catalog {

class Documents {
 public:
  struct Listed {
    std::string kind;
    std::string name;
    std::filesystem::path path;
  };

  explicit Documents(const Home& home) : directory_(home.path() / "documents") {}

  // By kind and name; empty where nothing was kept. Errors: denied, io.
  Result<std::vector<Listed>> list() const;
  // Replaces one of the same kind and name. Errors: invalid (a kind or name that is none of Kubernetes').
  Status put(std::string_view kind, std::string_view name, std::string_view text) const;
  // Errors: not_found.
  Status remove(std::string_view kind, std::string_view name) const;

 private:
  Result<std::filesystem::path> path_of(std::string_view kind, std::string_view name) const;

  std::filesystem::path directory_;
};

}  // namespace kist::catalog
