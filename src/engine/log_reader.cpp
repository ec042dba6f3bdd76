// Each file is in the order of time; all are merged. A file is opened when the merge comes to the time at which its
// node started, so that a run of thousands of tasks needs no more open files than it had tasks at once.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <queue>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "engine/log.hpp"

namespace kist::engine {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kReadAtOnce = 64 << 10;
constexpr auto kLookAgain = 100ms;
constexpr int kLooks = 5;

std::optional<LogLine> parse_entry(std::string_view entry) {
  LogLine line;
  auto word = [&] {
    std::size_t blank = entry.find(' ');
    std::string_view result = entry.substr(0, blank);
    entry.remove_prefix(std::min(entry.size(), result.size() + 1));
    return result;
  };
  auto time = parse_rfc3339(word());
  if (!time) return std::nullopt;
  line.time = *time;
  std::string_view stream = word();
  line.stream = stream == "stdout"   ? task::Stream::output
                : stream == "stderr" ? task::Stream::error
                                     : task::Stream::kist;
  std::string_view flag = word();
  if (flag != "F" && flag != "P") return std::nullopt;
  line.partial = flag == "P";
  line.text = entry;
  return line;
}

// The entries of one file, as far as it is written.
class LogFile {
 public:
  explicit LogFile(FileDescriptor file) : file_(std::move(file)) {}

  // The entry in front, valid until pop(); none: there is no further one (yet).
  Result<const LogLine*> front() {
    while (!front_) {
      KIST_TRY_ASSIGN(bool more, next());
      if (!more) return nullptr;
    }
    return &*front_;
  }
  void pop() { front_.reset(); }

 private:
  // Whether another line was found; it is in front_ where it is an entry.
  Result<bool> next() {
    std::size_t newline = buffer_.find('\n', begin_);
    while (newline == std::string::npos) {
      std::size_t searched = buffer_.size() - begin_;
      buffer_.erase(0, begin_);
      begin_ = 0;
      buffer_.resize(searched + kReadAtOnce);
      ssize_t count = ::read(file_.get(), buffer_.data() + searched, kReadAtOnce);
      buffer_.resize(searched + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
      if (count < 0 && errno != EINTR) return fail_errno("cannot read a log");
      if (count == 0) return false;
      newline = buffer_.find('\n', searched);
    }
    front_ = parse_entry(std::string_view(buffer_).substr(begin_, newline - begin_));
    begin_ = newline + 1;
    return true;
  }

  FileDescriptor file_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::optional<LogLine> front_;
};

// The log files of a run: in its directory, and in the store once it has ended.
class LogFiles {
 public:
  LogFiles(const catalog::Home& home, store::Store& store) : home_(home), store_(store) {}

  // nullptr: the node has written nothing (yet).
  Result<std::unique_ptr<LogFile>> open(const model::RunRecord& run, const model::NodeRecord& node) {
    auto file = open_file(log_file(home_.run(run.name) / "logs", node.names.name), O_RDONLY);
    if (!file && file.error().kind == ErrorKind::not_found && run.logs) {
      if (!view_) {
        KIST_TRY_ASSIGN(view_, store_.view({run.logs->tree, run.logs->times}));
      }
      file = open_file(log_file(view_->path(), node.names.name), O_RDONLY);
    }
    if (file) return std::make_unique<LogFile>(std::move(*file));
    if (file.error().kind == ErrorKind::not_found) return nullptr;
    return std::unexpected(file.error());
  }

 private:
  const catalog::Home& home_;
  store::Store& store_;
  std::unique_ptr<store::View> view_;
};

struct OpenLog {
  const model::NodeRecord* node;
  std::unique_ptr<LogFile> file;
  Time time;  // of the entry in front
};

// The log with the oldest entry in front comes first; of several, that of the earlier node.
struct IsLater {
  bool operator()(const OpenLog* left, const OpenLog* right) const {
    return std::pair(left->time, left->node) > std::pair(right->time, right->node);
  }
};

class Merge {
 public:
  // Adds a log, unless nothing is to be read there now.
  Status add(OpenLog& log) {
    KIST_TRY_ASSIGN(const LogLine* front, log.file->front());
    if (front == nullptr) return {};
    log.time = front->time;
    queue_.push(&log);
    return {};
  }
  bool empty() const { return queue_.empty(); }
  Time time() const { return queue_.top()->time; }
  // Hands out the oldest entry; whether to go on.
  Result<bool> take(const LogSink& each) {
    OpenLog& log = *queue_.top();
    queue_.pop();
    KIST_TRY_ASSIGN(const LogLine* front, log.file->front());
    if (!each(*log.node, *front)) return false;
    log.file->pop();
    KIST_TRY(add(log));
    return true;
  }

 private:
  std::priority_queue<OpenLog*, std::vector<OpenLog*>, IsLater> queue_;
};

}  // namespace

Status read_logs(const catalog::Home& home, store::Store& store, const model::RunRecord& run, const NodeFilter& select,
                 const LogSink& each) {
  std::vector<const model::NodeRecord*> nodes;
  for (const model::NodeRecord& node : run.nodes)
    if (node.kind == model::NodeKind::task && select(node)) nodes.push_back(&node);
  // A repeated node wrote before its last start.
  auto began = [](const model::NodeRecord* node) { return node->attempt > 1 ? Time() : node->started; };
  std::ranges::stable_sort(nodes, {}, began);

  LogFiles files(home, store);
  std::deque<OpenLog> open;
  Merge merge;
  auto next = nodes.begin();
  while (next != nodes.end() || !merge.empty()) {
    if (next != nodes.end() && (merge.empty() || began(*next) <= merge.time())) {
      KIST_TRY_ASSIGN(auto file, files.open(run, **next));
      if (file) {
        open.push_back({*next, std::move(file), {}});
        KIST_TRY(merge.add(open.back()));
      }
      ++next;
      continue;
    }
    KIST_TRY_ASSIGN(bool more, merge.take(each));
    if (!more) return {};
  }
  return {};
}

Status follow_logs(const Parts& parts, std::string_view name, const NodeFilter& select, const LogSink& each) {
  LogFiles files(parts.home, parts.store);
  std::map<std::string, OpenLog> open;   // by node
  std::deque<model::RunRecord> records;  // nodes point into them
  std::error_code error;
  std::filesystem::path directory = parts.home.run(name) / "logs";
  std::optional<std::filesystem::file_time_type> seen;  // of the directory: changes when a file is made
  int looks = 0;

  while (true) {
    KIST_TRY_ASSIGN(catalog::RunSummary summary, parts.catalog.summary(name));
    bool ended = model::is_final(summary.state) || !is_owned(parts.home, name);
    auto changed = std::filesystem::last_write_time(directory, error);
    // A file may be there a moment before its node is written down.
    if (!error && seen != changed) looks = kLooks;
    seen = changed;
    if (ended || looks > 0) {
      --looks;
      KIST_TRY_ASSIGN(model::RunRecord record, parts.catalog.run(name));
      records.push_back(std::move(record));
      const model::RunRecord& run = records.back();
      std::size_t found = 0;
      for (const model::NodeRecord& node : run.nodes) {
        if (node.kind != model::NodeKind::task || !select(node) || open.contains(node.names.name)) continue;
        KIST_TRY_ASSIGN(auto file, files.open(run, node));
        if (!file) continue;
        open.emplace(node.names.name, OpenLog{&node, std::move(file), {}});
        ++found;
      }
      if (found == 0) records.pop_back();
    }
    Merge merge;
    for (auto& [node, log] : open) KIST_TRY(merge.add(log));
    while (!merge.empty()) {
      KIST_TRY_ASSIGN(bool more, merge.take(each));
      if (!more) return {};
    }
    if (ended) return {};
    std::this_thread::sleep_for(kLookAgain);
  }
}

}  // namespace kist::engine
