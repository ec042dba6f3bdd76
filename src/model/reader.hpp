// How a dialect reads YAML: mappings by a table of the keys it knows, so that nothing in a file is dropped silently.
// A key is read; accepted, where it rightly has no effect here; not supported yet, which is a warning where running is
// still right and an error where it would be wrong; or unknown, which is a warning. Every notice names its place.
//
// Nothing here throws or stops at the first mistake: callers read on and ask the Notices at the end.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/result.hpp"
#include "base/yaml.hpp"
#include "model/dialect.hpp"

namespace kist::model {

// What there is to say about the files of one request. The same thing of the same place is said once.
class Notices {
 public:
  void warn(Origin origin, std::string text);
  void fail(Origin origin, std::string text);
  // "not supported yet: KEY", with a remark where there is one; once for each file and key, at the first place.
  void unsupported(Notice::Level level, Origin origin, std::string_view key, std::string_view remark = {});

  bool has_errors() const { return errors_ > 0; }
  // By file, line and column.
  std::vector<Notice> warnings() const;
  // The texts of all errors, "FILE:LINE:COLUMN: TEXT", a line each, by place; unsupported where nothing else is wrong.
  Error error() const;

 private:
  std::vector<Notice> sorted(Notice::Level level) const;

  std::vector<Notice> notices_;
  void add(Notice notice);

  std::set<std::tuple<Notice::Level, std::string, std::string>> unsupported_;  // level, file, key
  std::set<std::string> said_;
  int errors_ = 0;
  int mistakes_ = 0;  // errors that are not about something unsupported
};

// One key of a mapping.
struct Field {
  enum class Kind {
    read,
    accepted,  // has no effect here, rightly
    later,     // not supported yet; running is still right
    refused,   // not supported yet; running would be wrong
  };
  std::string_view key;
  Kind kind = Kind::read;
  std::function<void(const yaml::Node&)> read = {};
  std::string_view remark = {};  // later, refused: what that means
  bool null = false;             // read is called for `KEY:` without a value too; else that is a warning
};

// Reads the nodes of one file.
class Reader {
 public:
  Reader(std::string file, Notices& notices) : file_(std::move(file)), notices_(notices) {}

  Origin at(const yaml::Node& node) const { return {file_, node.mark.line, node.mark.column}; }
  void warn(const yaml::Node& node, std::string text) const { notices_.warn(at(node), std::move(text)); }
  void fail(const yaml::Node& node, std::string text) const { notices_.fail(at(node), std::move(text)); }
  // Not supported yet: `later` goes on, `refuse` is an error.
  void later(const yaml::Node& node, std::string_view key, std::string_view remark = {}) const;
  void refuse(const yaml::Node& node, std::string_view key, std::string_view remark = {}) const;

  // Calls the fields' readers in the order of the file. `what` is what the mapping is, with its article: "a workflow".
  // False where the node is no mapping, which is an error. `other` reads keys that are not in the table.
  bool mapping(const yaml::Node& node, std::string_view what, std::span<const Field> fields,
               const std::function<void(const yaml::Node& key, const yaml::Node& value)>& other = {}) const;
  bool mapping(const yaml::Node& node, std::string_view what, std::initializer_list<Field> fields,
               const std::function<void(const yaml::Node& key, const yaml::Node& value)>& other = {}) const {
    return mapping(node, what, std::span(fields.begin(), fields.size()), other);
  }

  // A scalar's text. Anything else is an error: "NAME: expected WHAT, not a list"; so is a NUL byte, which no argument,
  // path or variable can hold.
  std::optional<std::string> text(const yaml::Node& node, std::string_view name,
                                  std::string_view what = "a text") const;
  // YAML 1.1's spellings too. Anything else is an error.
  std::optional<bool> boolean(const yaml::Node& node, std::string_view name) const;

  const std::string& file() const { return file_; }

 private:
  std::string file_;
  Notices& notices_;
};

// What a node is, for errors: "a list", "a mapping", "nothing", "'TEXT'".
std::string describe(const yaml::Node& node);

}  // namespace kist::model
