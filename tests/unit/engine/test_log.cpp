#include "engine/house.hpp"
#include "engine/log.hpp"

namespace kist::engine::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LogFileTest : public ::testing::Test {
 protected:
  ScratchDirectory scratch = ScratchDirectory::make("/tmp", "kist-log-").value();
  fs::path file = scratch.path() / "a.log";
  Time time = parse_rfc3339("2026-11-21T03:16:28.000001Z").value();
  std::vector<std::string> lines;
  LogWriter writer{file, [this] { return time += std::chrono::microseconds(1); },
                   [this](task::Stream, std::string_view line) { lines.emplace_back(line); }};
};

TEST_F(LogFileTest, IsMadeWithTheFirstLineAndHoldsWholeOnes) {
  EXPECT_TRUE(writer.finish());
  EXPECT_FALSE(fs::exists(file));
  ASSERT_TRUE(writer.write(task::Stream::output, "one\ntw"));
  ASSERT_TRUE(writer.write(task::Stream::error, "\nfault"));
  ASSERT_TRUE(writer.write(task::Stream::output, "o\n"));
  EXPECT_THAT(lines, ElementsAre("one", "", "two"));
  ASSERT_TRUE(writer.finish());
  EXPECT_EQ(read_file(file).value(),
            "2026-11-21T03:16:28.000002Z stdout F one\n"
            "2026-11-21T03:16:28.000003Z stderr F \n"
            "2026-11-21T03:16:28.000004Z stdout F two\n"
            "2026-11-21T03:16:28.000005Z stderr F fault\n");
}

TEST_F(LogFileTest, CutsLongLines) {
  std::string piece(16 << 10, 'x');
  ASSERT_TRUE(writer.write(task::Stream::output, piece + piece + "y\n" + piece + "\n"));
  EXPECT_THAT(lines, ElementsAre(piece, piece, "y", piece));
  std::string text = read_file(file).value();
  EXPECT_EQ(std::ranges::count(text, '\n'), 4);
  EXPECT_TRUE(text.contains("stdout P x"));
  EXPECT_TRUE(text.contains("stdout F y\n"));
}

TEST_F(LogFileTest, KeepsTheFirstError) {
  LogWriter broken(scratch.path() / "no" / "a.log", now, [](task::Stream, std::string_view) {});
  EXPECT_FALSE(broken.write(task::Stream::output, "x\n"));
  EXPECT_FALSE(broken.finish());
}

TEST(LogName, IsAFileName) {
  EXPECT_EQ(log_file("/l", "wf[0].a"), "/l/wf[0].a.log");
  EXPECT_EQ(log_file("/l", "../a/b c%"), "/l/%2E.%2Fa%2Fb%20c%25.log");
  fs::path one = log_file("/l", std::string(300, 'x') + "1");
  fs::path other = log_file("/l", std::string(300, 'x') + "2");
  EXPECT_NE(one, other);
  EXPECT_LT(one.filename().string().size(), 255U);
}

class RunLogs : public EngineTest {
 protected:
  RunLogs() {
    define("main", {});
    define("a", task({"print", "from a"}));
    define("b", task({"print", "from b"}));
    define("hold", task({"hold"}));
  }
  Parts parts() {
    return {home, *catalog, store, dialects, [] { return now(); }, {}};
  }

  static bool every(const model::NodeRecord&) { return true; }
  LogSink into(std::vector<std::string>& lines) {
    return [&](const model::NodeRecord& node, const LogLine& line) {
      lines.push_back(fmt::format("{}: {}", node.names.display, line.text));
      return true;
    };
  }
};

TEST_F(RunLogs, AreOneTreeAfterTheEnd) {
  define("main", sequence({{step("x", "a")}, {step("y", "hold")}, {step("z", "b")}}));
  place.release();
  model::RunRecord run = this->run();
  ASSERT_TRUE(run.logs);
  EXPECT_EQ(run.logs->files, 2U);
  EXPECT_FALSE(fs::exists(home.run("wf") / "logs"));
  std::vector<std::string> lines;
  ASSERT_TRUE(read_logs(home, store, run, every, into(lines)));
  EXPECT_THAT(lines, ElementsAre("x: from a", "z: from b"));
  lines.clear();
  auto only_z = [](const model::NodeRecord& node) { return node.step == "z"; };
  ASSERT_TRUE(read_logs(home, store, run, only_z, into(lines)));
  EXPECT_THAT(lines, ElementsAre("z: from b"));
  lines.clear();
  ASSERT_TRUE(follow_logs(parts(), "wf", every, into(lines)));
  EXPECT_THAT(lines, ElementsAre("x: from a", "z: from b"));
}

TEST_F(RunLogs, ARunThatWroteNothingHasNone) {
  define("quiet", task({"succeed"}));
  dialect.workflow.entry.definition = "quiet";
  model::RunRecord run = this->run();
  EXPECT_FALSE(run.logs);
  std::vector<std::string> lines;
  ASSERT_TRUE(read_logs(home, store, run, every, into(lines)));
  EXPECT_THAT(lines, IsEmpty());
}

TEST_F(RunLogs, AreFollowedWhileTheRunGoesOn) {
  define("main", sequence({{step("x", "a")}, {step("y", "hold")}, {step("z", "b")}}));
  std::string name = submit();
  std::jthread owner([&] { (void)engine.own(name, place, watcher); });
  place.wait_until_running("wf[1].y");
  std::vector<std::string> lines;
  auto own_catalog = catalog::Catalog::open(home).value();
  ASSERT_TRUE(follow_logs({home, *own_catalog, store, dialects, {}, {}}, name, every,
                          [&](const model::NodeRecord& node, const LogLine& line) {
                            place.release();  // what comes next was not there when the following began
                            return into(lines)(node, line);
                          }));
  EXPECT_THAT(lines, ElementsAre("x: from a", "z: from b"));
}

TEST_F(RunLogs, WhatACrashCutIsLeftOut) {
  define("main", sequence({{step("x", "a")}}));
  model::RunRecord run = this->run();
  run.logs.reset();
  fs::create_directories(home.run("wf") / "logs");
  ASSERT_TRUE(replace_file(log_file(home.run("wf") / "logs", "wf[0].x"),
                           "2026-11-21T03:16:28.000001Z stdout F whole\n"
                           "nonsense\n"
                           "2026-11-21T03:16:28.000002Z stdout F cu"));
  std::vector<std::string> lines;
  ASSERT_TRUE(read_logs(home, store, run, every, into(lines)));
  EXPECT_THAT(lines, ElementsAre("x: whole"));
}

}  // namespace
}  // namespace kist::engine::testing
