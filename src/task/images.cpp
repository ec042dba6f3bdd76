#include "task/images.hpp"

#include <array>
#include <chrono>
#include <map>
#include <mutex>

#include <fmt/format.h>
#include <fnmatch.h>

#include "base/file.hpp"
#include "base/yaml.hpp"
#include "task/paths.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kEngineRemembered(2);
constexpr std::uint64_t kLargestFile = 1 << 20;

// What this machine stands in for. Argo starts argosay where a file gives no command; /usr/games is where Debian keeps
// its own cowsay.
ImageTable built_in_rules() {
  ImageTable table;
  auto add = [&](std::string glob, std::string alone) -> ImageRule& {
    ImageRule& rule = table.emplace_back();
    rule.image = std::move(glob);
    rule.alone = {std::move(alone)};
    return rule;
  };
  for (const char* image : {"alpine:*", "busybox:*", "debian:*", "ubuntu:*"}) add(image, "sh");
  for (const char* image : {"gcc:*", "golang:*", "buildpack-deps:*", "rust:*"}) add(image, "bash");
  for (const auto& [image, program] : {std::pair("perl:*", "perl"), std::pair("ruby:*", "irb")}) add(image, program);
  // Their entry point puts the program before options, and runs what else it is given.
  for (const auto& [image, program] :
       {std::pair("bash:*", "bash"), std::pair("node:*", "node"), std::pair("php:*", "php")}) {
    ImageRule& rule = add(image, program);
    rule.command = rule.alone;
    rule.before_options = true;
  }
  // Images whose entry point is a program: arguments alone are its arguments.
  for (const auto& [image, program] :
       {std::pair("curlimages/curl:*", "curl"), std::pair("appropriate/curl:*", "curl"),
        std::pair("byrnedo/alpine-curl:*", "curl"), std::pair("alpine/git:*", "git"), std::pair("stedolan/jq:*", "jq"),
        std::pair("ghcr.io/jqlang/jq:*", "jq"), std::pair("bitnami/kubectl:*", "kubectl"),
        std::pair("bitnamilegacy/kubectl:*", "kubectl"), std::pair("amazon/aws-cli:*", "aws"),
        std::pair("mesosphere/aws-cli:*", "aws"), std::pair("rclone/rclone:*", "rclone")}) {
    ImageRule& rule = add(image, program);
    rule.command = rule.alone;
  }
  add("nginx:*", "nginx").alone = {"nginx", "-g", "daemon off;"};
  // Argo's own manifests say so of this image, and its examples of 3.x count on it.
  ImageRule& old_python = add("python:alpine3.6", "python3");
  old_python.command = old_python.alone;
  old_python.stand_ins = {"python"};
  add("python:*", "python3").stand_ins = {"python"};
  ImageRule& whalesay = add("docker/whalesay:*", "bash");
  whalesay.path = {"/usr/games"};
  whalesay.stand_ins = {"cowsay"};
  ImageRule& argosay = add("argoproj/argosay:*", "argosay");
  argosay.command = argosay.alone;
  argosay.path = {"/usr/games"};
  argosay.stand_ins = {"argosay", "cowsay"};
  return table;
}

std::unexpected<Error> wrong(std::string_view name, const yaml::Node& node, std::string_view what) {
  return fail(ErrorKind::invalid, fmt::format("{}:{}:{}: {}", name, node.mark.line, node.mark.column, what));
}

Result<std::vector<std::string>> texts(std::string_view name, const yaml::Node& node, std::string_view key) {
  if (!node.is_sequence()) return wrong(name, node, fmt::format("`{}` is a list of texts", key));
  std::vector<std::string> all;
  for (const yaml::Node& item : node.items) {
    if (!item.is_scalar()) return wrong(name, item, fmt::format("`{}` is a list of texts", key));
    all.push_back(item.text);
  }
  return all;
}

Result<ImageRule> parse_rule(const yaml::Node& node, std::string_view name, const fs::path& project) {
  if (!node.is_mapping())
    return wrong(name, node, "expected a rule: {image: GLOB, path: [...], environment: {...}, command: [...]}");
  ImageRule rule;
  for (const auto& [key, value] : node.entries) {
    if (key.text == "image") {
      if (!value.is_scalar() || value.text.empty()) return wrong(name, value, "`image` is the glob of an image's name");
      rule.image = value.text;
    } else if (key.text == "path") {
      KIST_TRY_ASSIGN(auto directories, texts(name, value, "path"));
      for (const std::string& directory : directories) rule.path.push_back(absolute_path(directory, project, project));
    } else if (key.text == "command") {
      KIST_TRY_ASSIGN(rule.command, texts(name, value, "command"));
    } else if (key.text == "environment") {
      if (!value.is_mapping()) return wrong(name, value, "`environment` maps names to values");
      for (const auto& [variable, content] : value.entries) {
        if (!content.is_scalar() && !content.is_null()) return wrong(name, content, "a variable's value is a text");
        rule.environment.emplace_back(variable.text, content.text);
      }
    } else {
      return wrong(name, key,
                   fmt::format("unknown key `{}`: there are image, path, environment and command", key.text));
    }
  }
  if (rule.image.empty()) return wrong(name, node, "a rule needs `image`, the glob of an image's name");
  rule.alone = rule.command;
  return rule;
}

Result<ImageTable> read_rules(const fs::path& file, const fs::path& project) {
  auto text = read_file(file, kLargestFile);
  if (!text && text.error().kind == ErrorKind::not_found) return ImageTable();
  if (!text) return std::unexpected(text.error());
  return parse_image_rules(*text, file.string(), project);
}

std::string without_prefix(std::string_view image) {
  for (std::string_view prefix : {"docker.io/", "docker/library/", "library/"})
    if (image.starts_with(prefix)) image.remove_prefix(prefix.size());
  return std::string(image.substr(0, image.find('@')));
}

// What is mirrored at another registry is the same: the name without the registry's; empty: it names none.
std::string without_registry(std::string_view name) {
  const std::string_view host = name.substr(0, name.find('/'));
  if (host.size() == name.size() || host.find_first_of(".:") == std::string_view::npos) return "";
  return without_prefix(name.substr(host.size() + 1));
}

}  // namespace

Result<ImageTable> parse_image_rules(std::string_view text, std::string_view name, const fs::path& project) {
  KIST_TRY_ASSIGN(auto documents, yaml::parse(text, name));
  ImageTable table;
  for (const yaml::Node& document : documents) {
    if (document.is_null()) continue;
    if (!document.is_sequence()) return wrong(name, document, "expected a list of rules: - image: GLOB");
    for (const yaml::Node& item : document.items) {
      KIST_TRY_ASSIGN(ImageRule rule, parse_rule(item, name, project));
      table.push_back(std::move(rule));
    }
  }
  return table;
}

Result<std::shared_ptr<const ImageTable>> image_table(const fs::path& project, const fs::path& home) {
  struct Known {
    Result<std::shared_ptr<const ImageTable>> table = nullptr;
    std::chrono::steady_clock::time_point until;
  };
  static std::mutex mutex;
  static std::map<std::pair<fs::path, fs::path>, Known> known;
  std::lock_guard lock(mutex);
  Known& entry = known[{project, home}];
  auto now = std::chrono::steady_clock::now();
  if (now < entry.until) return entry.table;
  entry.until = now + kEngineRemembered;
  entry.table = [&]() -> Result<std::shared_ptr<const ImageTable>> {
    ImageTable all;
    for (const fs::path& file : std::array{project / ".kist/images.yaml", home / "images.yaml"}) {
      KIST_TRY_ASSIGN(ImageTable rules, read_rules(file, project));
      all.insert(all.end(), std::make_move_iterator(rules.begin()), std::make_move_iterator(rules.end()));
    }
    ImageTable rules = built_in_rules();
    all.insert(all.end(), std::make_move_iterator(rules.begin()), std::make_move_iterator(rules.end()));
    return std::make_shared<const ImageTable>(std::move(all));
  }();
  return entry.table;
}

const ImageRule* find_image(const ImageTable& table, std::string_view image) {
  std::string name = without_prefix(image);
  // A colon before the last slash belongs to a registry's port.
  auto colon = name.find(':', name.rfind('/') == std::string::npos ? 0 : name.rfind('/'));
  std::string untagged = name.substr(0, colon);
  std::string tagged = colon == std::string::npos ? name + ":latest" : name;
  std::vector<std::string> candidates{tagged, untagged};
  for (const std::string& candidate : {tagged, untagged})
    if (std::string mirrored = without_registry(candidate); !mirrored.empty())
      candidates.push_back(std::move(mirrored));
  for (const ImageRule& rule : table)
    for (const std::string& candidate : candidates)
      if (::fnmatch(rule.image.c_str(), candidate.c_str(), 0) == 0) return &rule;
  return nullptr;
}

bool has_rich_shell(std::string_view image) {
  static constexpr std::array kGlobs = {"*alpine*",         "busybox*",          "bash*",     "argoproj/argosay*",
                                        "curlimages/curl*", "appropriate/curl*", "docker:*",  "rclone/*",
                                        "hashicorp/*",      "fedora*",           "centos*",   "rockylinux*",
                                        "almalinux*",       "amazonlinux*",      "amazon/*",  "redhat/*",
                                        "ubi*/*",           "opensuse/*",        "archlinux*"};
  const std::string name = without_prefix(image);
  for (const std::string& candidate : {name, without_registry(name)})
    for (const char* glob : kGlobs)
      if (!candidate.empty() && ::fnmatch(glob, candidate.c_str(), 0) == 0) return true;
  return false;
}

}  // namespace kist::task
