#include "location/served.hpp"

#include <array>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace kist::location {

std::unique_ptr<Served> Served::start(std::vector<std::string> words) {
  std::unique_ptr<Served> server(new Served());
  server->directory_.emplace(ScratchDirectory::make(std::filesystem::temp_directory_path(), "kist-served-").value());
  words.front() = std::string(KIST_SOURCE "/scripts/") + words.front();
  for (std::string& word : words)
    if (word == "DIRECTORY") word = server->directory_->path().string();
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::array<int, 2> input{};
  std::array<int, 2> output{};
  if (::pipe2(input.data(), O_CLOEXEC) != 0 || ::pipe2(output.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  server->input_.reset(input[1]);
  const FileDescriptor answers(output[0]);
  posix_spawn_file_actions_t actions{};
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input[0], 0);
  ::posix_spawn_file_actions_adddup2(&actions, output[1], 1);
  const int error = ::posix_spawn(&server->process_, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(input[0]);
  ::close(output[1]);
  if (error != 0) throw std::runtime_error(words.front() + " does not start");
  std::string line;
  char c = 0;
  while (::read(answers.get(), &c, 1) == 1 && c != '\n') line += c;
  if (line.empty()) return nullptr;
  server->told_ = std::make_unique<Json>(parse_json(line).value());
  return server;
}

Served::~Served() {
  input_.reset();
  if (process_ > 0) ::waitpid(process_, nullptr, 0);
}

std::string Served::operator[](const char* name) const {
  const Json& value = told_->at(name);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace kist::location
