// Locations: where bytes outside kist live (an S3 object, a web address, a git repository, a key of the default
// repository …). Plain data: the location floor knows what a kind means and which fields it takes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "expression/text.hpp"

namespace kist::model {

using expression::Text;

// One value of a secret that the user keeps in kist. Only its name travels; the value is looked up where it is used.
struct SecretReference {
  Text name;
  Text key;
  bool optional = false;
};

struct LocationField {
  std::string name;  // dotted where the file nests: "encryptionOptions.enableEncryption"; lists repeat it
  std::variant<Text, SecretReference> value;
};

struct Location {
  // s3, http, git, artifactory, gcs, azure, oss, hdfs, file; or key: one of the default repository, in this home.
  std::string kind;
  std::vector<LocationField> fields;

  // The first of a name; nullptr where there is none, or it is of the other sort.
  const Text* text(std::string_view name) const;
  const SecretReference* secret(std::string_view name) const;
  void set(std::string name, Text value) { fields.push_back({std::move(name), std::move(value)}); }
};

// For people and records: "s3://bucket/key", "https://host/path"; no secrets, texts as written.
std::string to_string(const Location& location);

}  // namespace kist::model
