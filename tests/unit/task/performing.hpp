// Performs tasks with the real sandbox and store, in a home and a project of the test's own.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "task/rooms.hpp"
#include "task/support.hpp"
#include "task/task.hpp"

namespace kist::task::test {

using expression::Text;

inline Text text(std::string value) {
  return Text::literal(std::move(value));
}

inline constexpr model::When kOnSuccess{};
inline constexpr model::When kOnFailure{.success = false, .failure = true};
inline constexpr model::When kAlways{.success = true, .failure = true, .stopped = true};
inline constexpr model::When kWhatever{.success = true, .failure = true, .stopped = true, .aborted = true};

template <typename What>
model::Action action(What what, model::When when = kOnSuccess) {
  model::Action made;
  made.container = "main";
  made.when = when;
  made.what = std::move(what);
  return made;
}

inline model::Action shell(std::string command, model::When when = kOnSuccess) {
  model::Run run;
  run.command = {text("sh"), text("-c"), text(std::move(command))};
  return action(std::move(run), when);
}

inline model::Action save(std::string name, std::string path, model::When when = kAlways,
                          model::Save::Missing missing = model::Save::Missing::fail) {
  model::Save what;
  what.name = std::move(name);
  what.path = text(std::move(path));
  what.missing = missing;
  return action(std::move(what), when);
}

inline model::Action load(std::string path) {
  model::Load what;
  what.path = text(std::move(path));
  return action(std::move(what));
}

// What a task told. Thread-safe.
class Heard final : public TaskServices {
 public:
  void log(Stream stream, std::string_view bytes) override {
    std::lock_guard lock(mutex_);
    (stream == Stream::output ? output_ : stream == Stream::error ? error_ : kist_) += bytes;
    changed_.notify_all();
  }
  Status publish(const model::ArtifactRecord& artifact) override {
    std::lock_guard lock(mutex_);
    published_.push_back(artifact);
    changed_.notify_all();
    return {};
  }
  void report(std::string_view progress) override {
    std::lock_guard lock(mutex_);
    progress_ = progress;
    changed_.notify_all();
  }

  void ready(std::string_view address) override {
    std::lock_guard lock(mutex_);
    ready_at_ = address;
    changed_.notify_all();
  }
  void fetched(const model::ArtifactRecord& artifact) override {
    std::lock_guard lock(mutex_);
    fetched_.push_back(artifact);
  }
  Result<SecretValues> secret(std::string_view name) override {
    if (on_secret) on_secret();
    std::lock_guard lock(mutex_);
    if (auto found = secrets.find(std::string(name)); found != secrets.end()) return found->second;
    return fail(ErrorKind::not_found, "there is no secret '" + std::string(name) + "'");
  }
  std::map<std::string, SecretValues> secrets;  // set before the task begins
  std::function<void()> on_secret;              // the same; called when one is asked for

  std::string ready_at() const { return locked(ready_at_); }
  std::vector<model::ArtifactRecord> fetched() const { return locked(fetched_); }
  std::string output() const { return locked(output_); }
  std::string error() const { return locked(error_); }
  std::string kist() const { return locked(kist_); }
  std::string progress() const { return locked(progress_); }
  std::vector<model::ArtifactRecord> published() const { return locked(published_); }

  // Waits for something to be heard, 20 s at most.
  bool wait_for(const std::function<bool(const Heard&)>& condition) const {
    auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (;;) {
      if (condition(*this)) return true;
      std::unique_lock lock(mutex_);
      if (std::chrono::steady_clock::now() > until) return false;
      changed_.wait_for(lock, std::chrono::milliseconds(50));
    }
  }
  bool wait_for_output(std::string_view text) const {
    return wait_for([&](const Heard& heard) { return heard.output().contains(text); });
  }

 private:
  template <typename T>
  T locked(const T& value) const {
    std::lock_guard lock(mutex_);
    return value;
  }
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::string output_, error_, kist_, progress_, ready_at_;
  std::vector<model::ArtifactRecord> published_, fetched_;
};

// The launcher of the test program, started before any thread; nullptr where this machine has no isolation.
sandbox::Launcher* launcher();

class Performing : public testing::Test {
 protected:
  void SetUp() override {
    if (launcher() == nullptr || launcher()->isolation() == sandbox::Isolation::directory)
      GTEST_SKIP() << "this machine lets no task have a root of its own";
    std::filesystem::create_directories(home() / "scratch");
    std::filesystem::create_directories(project());
    auto opened = store::Store::open(home() / "store");
    ASSERT_TRUE(opened) << opened.error().text;
    store_ = std::move(*opened);
    document_.run = directory_.path().filename();
    document_.node.name = "node";
    document_.project = project();
    document_.task.containers.emplace_back();
  }
  void TearDown() override {
    rooms_.reset();
    if (store_) {
      EXPECT_TRUE(std::filesystem::is_empty(home() / "scratch"));
    }
  }

  std::filesystem::path home() const { return directory_ / "home"; }
  std::filesystem::path project() const { return directory_ / "project"; }
  Tools tools() {
    if (!rooms_) rooms_.emplace(*launcher(), home() / "scratch");
    return {*rooms_, *store_, home()};
  }

  // Adds actions to the task; returns the index of the first.
  template <typename... Actions>
  std::size_t add(Actions... actions) {
    std::size_t first = document_.task.actions.size();
    (document_.task.actions.push_back(std::move(actions)), ...);
    return first;
  }
  Outcome perform() {
    Outcome outcome = task::perform(document_, tools(), heard_, stop_);
    return outcome;
  }
  // Performs in another thread until `stop` is set.
  template <typename Meanwhile>
  Outcome perform_while(const Meanwhile& meanwhile) {
    Outcome outcome;
    std::jthread performing([&] { outcome = perform(); });
    meanwhile();
    performing.join();
    return outcome;
  }
  // Forgets the task and what was heard, for another task.
  void next_task() {
    document_.task.actions.clear();
    document_.task.volumes.clear();
    document_.task.fresh_directories.clear();
    document_.loads.clear();
    heard_.~Heard();
    new (&heard_) Heard;
  }

  // Stores a tree and names it for a load.
  model::ArtifactRecord stored(const std::filesystem::path& source) {
    auto transaction = *store_->begin();
    auto saved = transaction->save(source);
    EXPECT_TRUE(saved && transaction->commit());
    model::ArtifactRecord record;
    record.tree = saved->id.tree;
    record.times = saved->id.times;
    return record;
  }
  // The listing of an artifact: "path mode content" a line; a link's content is "-> target".
  std::string listing(const model::ArtifactRecord& record) {
    std::string lines;
    store::ArtifactId id{.tree = record.tree, .times = record.times};
    auto listed = store_->list(id, {}, [&](const store::Entry& entry) {
      std::string content;
      if (entry.type == store::EntryType::link) content = "-> " + entry.link_target;
      if (entry.type == store::EntryType::directory) content = "/";
      if (entry.type == store::EntryType::file && entry.size < 100) {
        EXPECT_TRUE(store_->read(id, entry.path, [&](std::span<const std::byte> bytes) -> Status {
          content.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
          return {};
        }));
      }
      while (content.ends_with('\n')) content.pop_back();
      char mode[8];
      std::snprintf(mode, sizeof mode, "%o", entry.mode);
      lines += (entry.path.empty() ? "." : entry.path) + " " + mode + " " + content + "\n";
      return true;
    });
    EXPECT_TRUE(listed);
    return lines;
  }
  static std::vector<std::string> names(const std::vector<model::ArtifactRecord>& records) {
    std::vector<std::string> all;
    for (const auto& record : records) all.push_back(record.name);
    return all;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<store::Store> store_;
  std::optional<Rooms> rooms_;
  Document document_;
  Heard heard_;
  StopSignal stop_;
};

}  // namespace kist::task::test
