#include <algorithm>
#include <cctype>

#include <fcntl.h>
#include <fmt/format.h>

#include "base/digest.hpp"
#include "engine/log.hpp"

namespace kist::engine {
namespace {

constexpr std::size_t kLongestPiece = 16 << 10;
constexpr std::size_t kLongestFileName = 200;

}  // namespace

std::filesystem::path log_file(const std::filesystem::path& directory, std::string_view node) {
  std::string name;
  for (unsigned char c : node) {
    bool plain = std::isalnum(c) != 0 || std::string_view("-_.[]():,").contains(static_cast<char>(c));
    if (plain && !(name.empty() && c == '.'))
      name += static_cast<char>(c);
    else
      name += fmt::format("%{:02X}", c);
  }
  if (name.size() > kLongestFileName) name = name.substr(0, kLongestFileName) + "-" + sha256(node).hex().substr(0, 16);
  return directory / (name + ".log");
}

LogWriter::LogWriter(std::filesystem::path file, std::function<Time()> clock, Line line)
    : file_path_(std::move(file)), clock_(std::move(clock)), line_(std::move(line)) {}

Status LogWriter::write(task::Stream stream, std::string_view bytes) {
  std::lock_guard lock(mutex_);
  std::string& unfinished = unfinished_[stream];
  while (!bytes.empty()) {
    std::size_t room = kLongestPiece - unfinished.size();
    std::size_t newline = bytes.substr(0, room + 1).find('\n');
    std::string_view piece = bytes.substr(0, std::min({newline, room, bytes.size()}));
    bytes.remove_prefix(piece.size());
    bool whole = newline != std::string_view::npos;
    if (whole) bytes.remove_prefix(1);
    if (!whole && unfinished.size() + piece.size() < kLongestPiece) {
      unfinished += piece;
      break;
    }
    if (unfinished.empty()) {
      add(stream, !whole, piece);
      continue;
    }
    unfinished += piece;
    add(stream, !whole, unfinished);
    unfinished.clear();
  }
  return flush();
}

Status LogWriter::finish() {
  std::lock_guard lock(mutex_);
  for (auto& [stream, unfinished] : unfinished_)
    if (!unfinished.empty()) add(stream, false, std::exchange(unfinished, {}));
  KIST_TRY(flush());
  file_.reset();
  return {};
}

void LogWriter::add(task::Stream stream, bool partial, std::string_view text) {
  fmt::format_to(std::back_inserter(entries_), "{} {} {} {}\n", to_rfc3339_micros(clock_()), to_string(stream),
                 partial ? 'P' : 'F', text);
  line_(stream, text);
}

Status LogWriter::flush() {
  if (entries_.empty() || !status_) return status_;
  if (!file_) {
    auto file = open_file(file_path_, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (!file) return status_ = std::unexpected(file.error());
    file_ = std::move(*file);
  }
  status_ = write_all(file_.get(), entries_, file_path_.string());
  entries_.clear();
  return status_;
}

}  // namespace kist::engine
