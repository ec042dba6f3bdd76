// Shows a run while it goes on. Task output is the only thing on standard output, so that a pipe gets what the tasks
// said and nothing else; all else goes to standard error. On a terminal there is also a line for each finished step and
// a last line, redrawn, with what is running.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/time.hpp"
#include "cli/context.hpp"
#include "engine/engine.hpp"
#include "model/dialect.hpp"

namespace kist::cli {

// Thread-safe.
class Attached final : public engine::Observer {
 public:
  // `files`: the run's own, to show the lines that notices are about.
  Attached(const Context& context, const model::Wording& wording, std::vector<model::SourceText> files);
  ~Attached() override;

  void notice(const model::Notice& notice) override;
  void run_changed(const model::RunRecord& run) override;
  void node_changed(const model::NodeRecord& node) override;
  void progress(const model::NodeNames& node, std::string_view progress) override;
  void output(const model::NodeNames& node, task::Stream stream, std::string_view line) override;

  // A line of kist's own, on standard error.
  void say(std::string_view line);

  // The run has ended (or kist cannot go on with it): its status, how long it took, what it kept and how to get at it.
  void finish(const model::RunRecord& run);

 private:
  struct Running {
    std::string display;
    Time started;
    std::string progress;
  };

  void keep_fresh();
  void erase_status();
  void draw_status();
  std::string state_word(model::State state) const;
  std::string prefix_of(const model::NodeNames& node, bool colored) const;

  const Context& context_;
  const model::Wording& wording_;
  const std::vector<model::SourceText> files_;
  const bool live_;  // standard output and error are one terminal: the status line is drawn

  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> said_;              // notices, each once
  std::map<std::string, Running> running_;  // by node name
  std::size_t done_ = 0;
  bool stopping_ = false;
  bool unflushed_ = false;
  bool drawn_ = false;
  bool ended_ = false;
  std::thread freshener_;
};

}  // namespace kist::cli
