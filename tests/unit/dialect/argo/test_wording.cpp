#include <nlohmann/json.hpp>

#include "dialect/argo/lowered.hpp"
#include "dialect/argo/names.hpp"

namespace kist::dialect::argo {
namespace {

const model::Wording& wording() {
  return dialect().wording();
}

// Ids that a real cluster printed for Hera's example on artifacts.
TEST(ArgoNames, AreThoseOfARealCluster) {
  const model::NodeNames steps = wording().names({.run = "artifact-bghf5",
                                                  .parent = nullptr,
                                                  .group = {},
                                                  .stage = 0,
                                                  .step = "",
                                                  .definition = "steps",
                                                  .label = "steps"});
  EXPECT_EQ(steps.name, "artifact-bghf5");
  EXPECT_EQ(steps.id, "artifact-bghf5");
  EXPECT_EQ(steps.host, "artifact-bghf5");
  auto child = [](const model::NodeNames& parent, model::Group::Kind kind, int stage, const char* step) {
    return wording().names({.run = parent.name,
                            .parent = &parent,
                            .group = kind,
                            .stage = stage,
                            .step = step,
                            .definition = step,
                            .label = step});
  };
  const model::NodeNames writer = child(steps, model::Group::Kind::sequence, 0, "writer");
  EXPECT_EQ(writer.name, "artifact-bghf5[0].writer");
  EXPECT_EQ(writer.display, "writer");
  EXPECT_EQ(writer.id, "artifact-bghf5-3091035417");
  EXPECT_EQ(writer.host, "artifact-bghf5-writer-3091035417");
  EXPECT_EQ(child(steps, model::Group::Kind::sequence, 1, "consumer").host, "artifact-bghf5-consumer-1167317153");

  model::NodeNames dag;
  dag.name = "artifact-bj4zh";
  EXPECT_EQ(child(dag, model::Group::Kind::graph, 0, "writer").host, "artifact-bj4zh-writer-3078707681");
}

TEST(ArgoNames, OfItemsAttemptsHooksAndContainersComeBehindTheirNodes) {
  using Kind = model::NodePlace::Kind;
  model::NodeNames step;
  step.name = "wf[0].a";
  step.display = "a";
  step.host = "wf-t-1";
  auto place = [&](Kind kind, const char* name) {
    model::NodePlace result;
    result.run = "wf";
    result.parent = &step;
    result.kind = kind;
    result.step = name;
    result.index = 3;
    return result;
  };
  model::NodePlace item = place(Kind::item, "a");
  const Json value = {{"os", "debian"}, {"image", "d(9)"}};
  item.item = &value;
  EXPECT_EQ(wording().names(item).name, "wf[0].a(3:image:d9,os:debian)");
  EXPECT_EQ(wording().names(item).display, "a(3:image:d9,os:debian)");
  EXPECT_EQ(wording().names(place(Kind::attempt, "a")).name, "wf[0].a(3)");
  EXPECT_EQ(wording().names(place(Kind::hook, "exit")).name, "wf[0].a.onExit");
  EXPECT_EQ(wording().names(place(Kind::hook, "running")).display, "a.hooks.running");
  EXPECT_EQ(wording().names(place(Kind::container, "main")).name, "wf[0].a.main");
  EXPECT_EQ(wording().names(place(Kind::container, "main")).display, "main");
  EXPECT_EQ(wording().names(place(Kind::container, "main")).host, "wf-t-1");
  model::NodePlace handler = place(Kind::hook, "exit");
  handler.parent = nullptr;
  EXPECT_EQ(wording().names(handler).name, "wf.onExit");
}

TEST(ArgoNames, FitIntoKubernetes) {
  EXPECT_EQ(pod_name("wf", "wf.a", std::string(300, 't')).size(), 242 + 1 + std::to_string(fnv1a("wf.a")).size());
  EXPECT_EQ(pod_name("wf", "wf.a", ""), node_id("wf", "wf.a"));
  EXPECT_EQ(object_name("PyTorch Training"), "pytorch-training");
  EXPECT_EQ(object_name("--"), "workflow");
}

TEST(ArgoWords, AreArgos) {
  EXPECT_EQ(wording().process_failed({.container = "main", .action = "main", .exit_code = 3, .signal = 0}),
            "main: Error (exit code 3)");
  model::NodeNames child;
  child.id = "wf-123";
  child.host = "wf-t-123";
  EXPECT_EQ(wording().child_failed(child), "child 'wf-123' failed");
  EXPECT_EQ(wording().condition_false("a == b"), "when 'a == b' evaluated false");
  EXPECT_EQ(wording().omitted(), "omitted: depends condition not met");
  EXPECT_EQ(wording().stopped(false), "Stopped with strategy 'Stop'");
  EXPECT_EQ(wording().stopped(true), "Stopped with strategy 'Terminate'");
  EXPECT_EQ(wording().log_prefix(child), "wf-t-123: ");
  EXPECT_EQ(wording().state(model::State::stopped), "Failed");
  EXPECT_EQ(wording().state(model::State::omitted), "Omitted");
  EXPECT_EQ(wording().overdue(), "Step exceeded its deadline");
  EXPECT_EQ(wording().no_items(), "Skipped, empty params");
  EXPECT_EQ(wording().undefined("x"), "template name 'x' undefined");
  EXPECT_EQ(wording().broken_off(), "template has failed or errored children and failFast enabled");
  EXPECT_EQ(wording().waiting_for_lock("default/Mutex/m", 0, 1), "Waiting for default/Mutex/m lock. Lock status: 0/1");
  EXPECT_EQ(wording().waiting_to_retry(std::chrono::seconds(10)), "Backoff for 10 seconds");
  EXPECT_EQ(wording().waiting_to_retry(std::chrono::milliseconds(60'500)), "Backoff for 1 minute 1 second");
  EXPECT_EQ(wording().not_retried(model::RetryEnd::limit), "No more retries left");
  EXPECT_EQ(wording().not_retried(model::RetryEnd::duration), "Max duration limit exceeded");
  EXPECT_EQ(wording().not_retried(model::RetryEnd::backoff), "Backoff would exceed max duration limit");
  EXPECT_EQ(wording().not_retried(model::RetryEnd::expression), "retryStrategy.expression evaluated to false");
  model::NodeRecord failed;
  failed.names.display = "a";
  failed.state = model::State::error;
  failed.message = "why";
  EXPECT_EQ(
      to_text(wording().failure(failed)),
      R"({"displayName":"a","message":"why","templateName":"","phase":"Error","podName":"","finishedAt":"1970-01-01T00:00:00Z"})");
}

TEST(ArgoWording, AValueOfALabelIsOneThatKubernetesTakes) {
  for (const char* value : {"", "a", "a-b_c.D9"}) EXPECT_EQ(wording().wrong_in_label(value), "") << value;
  EXPECT_EQ(wording().wrong_in_label(std::string(63, 'x')), "");
  EXPECT_EQ(wording().wrong_in_label(std::string(64, 'x')), "must be no more than 63 bytes");
  for (const char* value : {"two words", "-a", "a.", "me!", "\xc3\xa4"})
    EXPECT_TRUE(wording().wrong_in_label(value).starts_with("a valid label must be")) << value;
}

}  // namespace
}  // namespace kist::dialect::argo
