#include "net/aws_profile.hpp"

#include <array>
#include <cstdlib>
#include <map>

#include <fmt/format.h>

#include "base/file.hpp"
#include "net/header_values.hpp"

namespace kist::net {
namespace {

namespace fs = std::filesystem;

using Section = std::map<std::string, std::string>;  // "s3.addressing_style" for what is nested
using Sections = std::map<std::string, Section>;

// "[default]", "[profile name]" in the config file, "[name]" in the credentials.
Result<Sections> read_sections(const fs::path& path) {
  Sections sections;
  auto text = read_file(path, 1 << 20);
  if (!text && text.error().kind == ErrorKind::not_found) return sections;
  if (!text) return std::unexpected(std::move(text).error());
  Section* section = nullptr;
  std::string nested;  // the key whose indented lines follow
  int number = 0;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    ++number;
    const bool indented = line.starts_with(' ') || line.starts_with('\t');
    line = trimmed(line);
    if (line.empty() || line.starts_with('#') || line.starts_with(';')) continue;
    // What stands in the line may be a secret, so messages do not repeat it.
    auto wrong = [&](std::string_view expected) {
      return fail(ErrorKind::invalid, fmt::format("{}:{}: expected {}", path.string(), number, expected));
    };
    if (line.starts_with('[')) {
      const auto close = line.find(']');
      if (close == std::string_view::npos) return wrong("']'");
      std::string_view name = trimmed(line.substr(1, close - 1));
      if (name.starts_with("profile ") || name.starts_with("profile\t")) name = trimmed(name.substr(8));
      section = &sections[std::string(name)];
      nested.clear();
      continue;
    }
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) return wrong("NAME = VALUE or [PROFILE]");
    if (section == nullptr) return wrong("[PROFILE] before the first value");
    const std::string name(trimmed(line.substr(0, equals)));
    const std::string value(trimmed(line.substr(equals + 1)));
    if (indented && !nested.empty()) {
      (*section)[nested + "." + name] = value;
    } else {
      (*section)[name] = value;
      nested = value.empty() ? name : std::string();
    }
  }
  return sections;
}

}  // namespace

Result<AwsProfile> find_aws_profile(const std::optional<std::string>& name) {
  return find_aws_profile(name, [](const char* variable) { return std::getenv(variable); });
}

Result<AwsProfile> find_aws_profile(const std::optional<std::string>& name, const Environment& environment) {
  auto variable = [&](const char* key) {
    const char* value = environment(key);
    return std::string(value == nullptr ? "" : value);
  };
  auto file = [&](const char* key, const char* usual) {
    const std::string given = variable(key);
    return given.empty() ? fs::path(variable("HOME")) / ".aws" / usual : fs::path(given);
  };
  const fs::path credentials_file = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
  const fs::path config_file = file("AWS_CONFIG_FILE", "config");
  KIST_TRY_ASSIGN(const Sections credentials, read_sections(credentials_file));
  KIST_TRY_ASSIGN(const Sections config, read_sections(config_file));
  std::string profile = name.value_or(variable("AWS_PROFILE"));
  const bool chosen = !profile.empty();
  if (!chosen) profile = "default";
  if (chosen && !credentials.contains(profile) && !config.contains(profile))
    return fail(ErrorKind::not_found, fmt::format("there is no AWS profile '{}' in {} or {}", profile,
                                                  credentials_file.string(), config_file.string()));
  auto value = [&](const char* key) -> std::string {
    for (const Sections* each : {&credentials, &config})
      if (const auto section = each->find(profile); section != each->end())
        if (const auto found = section->second.find(key); found != section->second.end()) return found->second;
    return {};
  };
  auto first = [](std::initializer_list<std::string> values) {
    for (const std::string& each : values)
      if (!each.empty()) return each;
    return std::string();
  };

  AwsProfile found;
  found.region = first({variable("AWS_REGION"), variable("AWS_DEFAULT_REGION"), value("region")});
  if (name) found.region = first({value("region"), found.region});
  found.endpoint = first(
      {variable("AWS_ENDPOINT_URL_S3"), variable("AWS_ENDPOINT_URL"), value("s3.endpoint_url"), value("endpoint_url")});
  found.ca_file = first({variable("AWS_CA_BUNDLE"), value("ca_bundle")});
  const std::string style = value("s3.addressing_style");
  if (style == "path") found.addressing = S3Settings::Addressing::path;
  if (style == "virtual") found.addressing = S3Settings::Addressing::virtual_host;

  AwsCredentials keys{.access_key = variable("AWS_ACCESS_KEY_ID"),
                      .secret_key = variable("AWS_SECRET_ACCESS_KEY"),
                      .session_token = variable("AWS_SESSION_TOKEN")};
  const bool of_environment = !name && !keys.access_key.empty() && !keys.secret_key.empty();
  if (!of_environment)
    keys = {.access_key = value("aws_access_key_id"),
            .secret_key = value("aws_secret_access_key"),
            .session_token = value("aws_session_token")};
  if (!keys.access_key.empty() && !keys.secret_key.empty()) {
    found.credentials = std::move(keys);
    return found;
  }
  for (const char* elsewhere :
       {"role_arn", "sso_session", "sso_start_url", "credential_process", "web_identity_token_file"})
    if (!value(elsewhere).empty())
      return fail(
          ErrorKind::unsupported,
          fmt::format("the AWS profile '{}' has {}, which kist does not follow: put keys into the environment, for "
                      "example by `eval \"$(aws configure export-credentials --format env)\"`",
                      profile, elsewhere));
  if (chosen)
    return fail(ErrorKind::not_found,
                fmt::format("the AWS profile '{}' has no keys in {}", profile, credentials_file.string()));
  return found;
}

}  // namespace kist::net
