// One lock guards all that is printed. A thread of its own draws the status line and flushes output to pipes shortly
// after it came, so that neither costs a system call for every line.
#include "cli/attached.hpp"

#include <chrono>
#include <functional>

#include <fmt/format.h>
#include <unistd.h>

#include "base/utf8.hpp"
#include "cli/diagnostics.hpp"
#include "model/address.hpp"

namespace kist::cli {

using namespace std::chrono_literals;

namespace {

constexpr auto kRedraw = 500ms;
constexpr auto kFlush = 50ms;
constexpr std::size_t kShownRunning = 4;
constexpr std::size_t kShownArtifacts = 20;

// Cut to the terminal's width: a status line that wraps cannot be erased.
std::string cut(std::string_view text, std::size_t width) {
  std::string result;
  std::size_t used = 0;
  while (!text.empty()) {
    const auto length = std::max<std::size_t>(utf8_length(text), 1);
    const auto piece = printable(text.substr(0, length));
    used += display_width(piece);
    if (used > width) break;
    result += piece;
    text.remove_prefix(length);
  }
  return result;
}

}  // namespace

Attached::Attached(const Context& context, const model::Wording& wording, std::vector<model::SourceText> files)
    : context_(context),
      wording_(wording),
      files_(std::move(files)),
      live_(context.colored_errors() && context.colored_output()) {
  freshener_ = std::thread([this] { keep_fresh(); });
}

Attached::~Attached() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    erase_status();
  }
  changed_.notify_all();
  freshener_.join();
}

void Attached::keep_fresh() {
  std::unique_lock lock(mutex_);
  while (!ended_) {
    if (live_) {
      changed_.wait_for(lock, kRedraw, [&] { return ended_; });
      if (!ended_) draw_status();
    } else {
      changed_.wait(lock, [&] { return ended_ || unflushed_; });
      changed_.wait_for(lock, kFlush, [&] { return ended_; });
      unflushed_ = false;
      flush_output();
    }
  }
}

void Attached::erase_status() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\x1b[K");
  drawn_ = false;
}

void Attached::draw_status() {
  if (running_.empty()) return;
  std::string text = stopping_ ? "■ stopping" : "●";
  std::size_t shown = 0;
  for (const auto& [name, running] : running_) {
    if (++shown > kShownRunning) break;
    text += fmt::format("{} {} {}", shown == 1 ? "" : ",", running.display,
                        to_short_duration(std::chrono::floor<std::chrono::seconds>(now() - running.started)));
    if (!running.progress.empty()) text += fmt::format(" ({})", running.progress);
  }
  if (running_.size() > kShownRunning) text += fmt::format(" and {} more", running_.size() - kShownRunning);
  if (done_ > 0) text += fmt::format(" · {} done", done_);
  flush_output();
  const auto width = static_cast<std::size_t>(std::max(20, terminal_width(STDERR_FILENO)) - 1);
  fmt::print(stderr, "\r\x1b[K{}", paint(cut(text, width), Color::faint));
  drawn_ = true;
}

std::string Attached::prefix_of(const model::NodeNames& node, bool colored) const {
  constexpr Color kColors[] = {Color::blue, Color::green, Color::yellow};
  const auto prefix = wording_.log_prefix(node);
  return paint(prefix, kColors[std::hash<std::string>{}(prefix) % std::size(kColors)], colored);
}

std::string Attached::state_word(model::State state) const {
  return context_.own_system() != nullptr ? wording_.state(state) : std::string(to_string(state));
}

void Attached::notice(const model::Notice& notice) {
  const std::lock_guard lock(mutex_);
  if (!said_.insert(to_string(notice)).second) return;
  erase_status();
  fmt::print(stderr, "{}", explain(notice, files_, context_.colored_errors()));
}

void Attached::run_changed(const model::RunRecord& run) {
  const std::lock_guard lock(mutex_);
  stopping_ = run.state == model::State::stopping;
}

void Attached::node_changed(const model::NodeRecord& node) {
  const std::lock_guard lock(mutex_);
  if (node.kind != model::NodeKind::task) return;
  if (node.state == model::State::running || node.state == model::State::stopping) {
    auto& running = running_[node.names.name];
    running.display = node.names.display;
    running.started = node.started == Time{} ? now() : node.started;
    return;
  }
  if (!model::is_final(node.state)) return;
  running_.erase(node.names.name);
  ++done_;
  // The only task of a run says all it has to say in the last line.
  if (node.parent.empty() || node.state == model::State::omitted) return;
  const bool colored = context_.colored_errors();
  const bool good = model::is_success(node.state);
  if (good && !is_terminal(STDERR_FILENO)) return;
  erase_status();
  flush_output();
  std::string line = fmt::format("{} {}", paint(mark_of(node.state), color_of(node.state), colored),
                                 paint(node.names.display, Color::bold, colored));
  if (const auto took = duration_text(node.started, node.finished); !took.empty())
    line += paint("  " + took, Color::faint, colored);
  if (node.state != model::State::succeeded) line += fmt::format("  {}", state_word(node.state));
  if (!node.message.empty()) line += fmt::format(": {}", node.message);
  fmt::print(stderr, "{}\n", line);
}

void Attached::progress(const model::NodeNames& node, std::string_view progress) {
  const std::lock_guard lock(mutex_);
  if (const auto found = running_.find(node.name); found != running_.end()) found->second.progress = progress;
}

void Attached::output(const model::NodeNames& node, task::Stream stream, std::string_view line) {
  const std::lock_guard lock(mutex_);
  erase_status();
  if (stream == task::Stream::kist) {
    const bool colored = context_.colored_errors();
    flush_output();
    fmt::print(stderr, "{}{}\n", prefix_of(node, colored), paint(line, Color::faint, colored));
    return;
  }
  print(prefix_of(node, context_.colored_output()));
  print(line);
  print("\n");
  if (live_) return;
  unflushed_ = true;
  changed_.notify_one();
}

void Attached::say(std::string_view line) {
  const std::lock_guard lock(mutex_);
  erase_status();
  flush_output();
  fmt::print(stderr, "{}\n", line);
}

void Attached::finish(const model::RunRecord& run) {
  const std::lock_guard lock(mutex_);
  running_.clear();
  erase_status();
  flush_output();
  const bool colored = context_.colored_errors();
  std::string line =
      fmt::format("{} {} {}", paint(mark_of(run.state), color_of(run.state), colored),
                  paint(run.name, Color::bold, colored), paint(state_word(run.state), color_of(run.state), colored));
  if (run.state != model::State::interrupted && run.started != Time{})
    line += fmt::format(" in {}", duration_text(run.started, run.finished));
  if (!run.message.empty()) line += fmt::format(": {}", run.message);
  fmt::print(stderr, "{}\n", line);
  if (run.state == model::State::interrupted) fmt::print(stderr, "  {} resume {}\n", context_.program(), run.name);
  if (!is_terminal(STDERR_FILENO)) return;

  const auto kept = model::addresses(run);
  if (kept.empty()) return;
  Table table({"ARTIFACT", "FILES", "SIZE"});
  for (std::size_t i = 0; i < std::min(kept.size(), kShownArtifacts); ++i)
    table.add({kept[i].address, fmt::format("{}", kept[i].artifact->files), human_size(kept[i].artifact->bytes)});
  fmt::print(stderr, "\n{}", table.to_text(colored));
  if (kept.size() > kShownArtifacts) fmt::print(stderr, "… and {} more\n", kept.size() - kShownArtifacts);
  fmt::print(stderr, "\n  {0} ls -r {1}\n  {0} artifacts download {1}\n", context_.program(), run.name);
}

}  // namespace kist::cli
