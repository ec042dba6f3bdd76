#include "net/real_s3.hpp"

#include <array>

#include <nlohmann/json.hpp>

extern char** environ;

namespace kist::net {

std::optional<S3Settings> RealS3::start(const std::string& kind, RealS3& server, std::string& reason) {
  server.directory_.emplace(ScratchDirectory::make(std::filesystem::temp_directory_path(), "kist-s3-").value());
  std::array<int, 2> input{};
  std::array<int, 2> output{};
  if (::pipe2(input.data(), O_CLOEXEC) != 0 || ::pipe2(output.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  server.input_.reset(input[1]);
  const FileDescriptor answers(output[0]);
  posix_spawn_file_actions_t actions{};
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input[0], 0);
  ::posix_spawn_file_actions_adddup2(&actions, output[1], 1);
  std::array<std::string, 5> words{KIST_SOURCE "/scripts/s3-server", "run", server.directory_->path().string(),
                                   "--kind", kind};
  std::array<char*, 6> arguments{};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
  const int error = ::posix_spawn(&server.process_, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(input[0]);
  ::close(output[1]);
  if (error != 0) throw std::runtime_error("scripts/s3-server does not start");
  std::string line;
  char c = 0;
  while (::read(answers.get(), &c, 1) == 1 && c != '\n') line += c;
  if (line.empty()) {
    reason = "no " + kind + " on this machine: see scripts/s3-server";
    return std::nullopt;
  }
  const Json described = parse_json(line).value();
  S3Settings settings;
  settings.endpoint = described["endpoint"];
  settings.region = described["region"];
  settings.credentials =
      AwsCredentials{.access_key = described["access_key"], .secret_key = described["secret_key"], .session_token = {}};
  return settings;
}

RealS3::~RealS3() {
  input_.reset();
  if (process_ > 0) ::waitpid(process_, nullptr, 0);
}

}  // namespace kist::net
