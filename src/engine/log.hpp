// What the tasks of a run wrote: one append-only file a node below the run's directory, kept as one tree in the store
// when the run has ended. Made when the first byte comes.
//
// A file is lines of text, as container runtimes write them:
//   2026-11-21T03:16:28.123456Z stdout F Hello
// the time the line came, the stream (stdout, stderr, or kist for kist's own words), F for a line or the last piece of
// one, P for a piece of a long line that goes on in the next entry of its stream, and the text as it was written. A
// repeated task goes on in the same file.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "catalog/home.hpp"
#include "engine/engine.hpp"
#include "model/record.hpp"
#include "store/store.hpp"
#include "task/task.hpp"

namespace kist::engine {

// One entry of a log. `text` is valid only while it is handed out.
struct LogLine {
  Time time;
  task::Stream stream = task::Stream::output;
  bool partial = false;  // the line goes on in the next entry of this stream
  std::string_view text;
};

// ---- reading

using NodeFilter = std::function<bool(const model::NodeRecord&)>;
// Ends the reading by returning false.
using LogSink = std::function<bool(const model::NodeRecord& node, const LogLine& line)>;

// Everything that the selected nodes of a run have written so far, in the order of time. Where the run has ended, from
// the store; entries that a crash cut are left out. Errors: corrupt, io.
Status read_logs(const catalog::Home& home, store::Store& store, const model::RunRecord& run, const NodeFilter& select,
                 const LogSink& each);

// The same, and goes on with what is written until the run has ended or lost its owner. Errors: not_found.
Status follow_logs(const Parts& parts, std::string_view run, const NodeFilter& select, const LogSink& each);

// ---- writing

// Appends to the log of one node; thread-safe. A line is written when it is whole, when it has grown to 16 KiB, or at
// the end.
class LogWriter {
 public:
  // Called with each line that is whole; one of more than 16 KiB comes in pieces.
  using Line = std::function<void(task::Stream stream, std::string_view line)>;
  LogWriter(std::filesystem::path file, std::function<Time()> clock, Line line);

  // The first error stays: what is written after it is lost.
  Status write(task::Stream stream, std::string_view bytes);
  // Writes what does not end with a newline, and closes the file.
  Status finish();

 private:
  void add(task::Stream stream, bool partial, std::string_view text);
  Status flush();

  const std::filesystem::path file_path_;
  const std::function<Time()> clock_;
  const Line line_;
  std::mutex mutex_;
  FileDescriptor file_;
  std::map<task::Stream, std::string> unfinished_;
  std::string entries_;  // to be written
  Status status_;
};

// The file of a node below `directory`: its name, percent-encoded where a file system would mind, and shortened where
// it is long.
std::filesystem::path log_file(const std::filesystem::path& directory, std::string_view node);

}  // namespace kist::engine
