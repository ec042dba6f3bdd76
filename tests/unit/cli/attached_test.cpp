#include "cli/attached.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kist::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class Pods final : public model::Wording {
 public:
  model::NodeNames names(const model::NodePlace&) const override { return {}; }
  std::string process_failed(const model::ProcessEnd&) const override { return ""; }
  std::string child_failed(const model::NodeNames&) const override { return ""; }
  std::string condition_false(std::string_view) const override { return ""; }
  std::string omitted() const override { return ""; }
  std::string stopped(bool) const override { return ""; }
  std::string state(model::State) const override { return "Done"; }
  std::string log_prefix(const model::NodeNames& node) const override { return node.host + ": "; }
};

model::NodeRecord node(const std::string& name, model::State state, const std::string& message = "") {
  model::NodeRecord node;
  node.names = {"wf." + name, name, "id-" + name, "pod-" + name};
  node.parent = "wf";
  node.state = state;
  node.message = message;
  return node;
}

struct Printed {
  std::string output;
  std::string errors;
};

template <typename Story>
Printed watch(Story story) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  {
    const Context context("kist");
    const Pods wording;
    Attached attached(context, wording, {});
    story(attached);
  }
  flush_output();
  return {testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

TEST(Attached, InAPipeStandardOutputIsWhatTheTasksWrote) {
  const auto printed = watch([](Attached& attached) {
    const auto a = node("a", model::State::running);
    attached.node_changed(a);
    attached.output(a.names, task::Stream::output, "one");
    attached.output(a.names, task::Stream::error, "two");
    attached.output(a.names, task::Stream::kist, "kept nothing");
    attached.say("grumpy-zebra-1");
    attached.node_changed(node("a", model::State::succeeded));
    model::RunRecord run;
    run.name = "grumpy-zebra-1";
    run.state = model::State::succeeded;
    attached.finish(run);
  });
  EXPECT_EQ(printed.output, "pod-a: one\npod-a: two\n");
  EXPECT_EQ(printed.errors, "pod-a: kept nothing\ngrumpy-zebra-1\n✔ grumpy-zebra-1 succeeded\n");
}

TEST(Attached, SaysEachNoticeOnceAndNamesWhatFailed) {
  const auto printed = watch([](Attached& attached) {
    const model::Notice notice{model::Notice::Level::warning, {"w.yaml", 3, 1}, "not supported yet: retry"};
    attached.notice(notice);
    attached.notice(notice);
    attached.node_changed(node("a", model::State::failed, "main: Error (exit code 3)"));
    attached.node_changed(node("b", model::State::omitted, "omitted: depends condition not met"));
  });
  EXPECT_EQ(printed.errors, "w.yaml:3:1: warning: not supported yet: retry\n✖ a  failed: main: Error (exit code 3)\n");
  EXPECT_EQ(printed.output, "");
}

TEST(Attached, AnInterruptedRunSaysHowToGoOn) {
  const auto printed = watch([](Attached& attached) {
    model::RunRecord run;
    run.name = "r";
    run.state = model::State::interrupted;
    attached.finish(run);
  });
  EXPECT_THAT(printed.errors, HasSubstr("kist resume r"));
}

}  // namespace
}  // namespace kist::cli
