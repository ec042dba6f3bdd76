#include "model/record.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace kist::model {
namespace {

TEST(Record, ComesBackFromItsJson) {
  RunRecord run;
  run.name = "grumpy-zebra-1";
  run.id = "6f8b";
  run.dialect = "dstack";
  run.state = State::failed;
  run.created = *parse_rfc3339("2026-11-21T03:16:28.123456Z");
  run.request.dialect = "dstack";
  run.request.files = {{".dstack/workflows.yaml", "workflows: []\n"}};
  run.request.parameters = {{"k", "v"}, {"k", "w"}};
  run.request.arguments = {"--epochs", "3"};
  run.request.tag = "t";
  NodeRecord node;
  node.names = {"grumpy-zebra-1", "hello", "id-1", "pod-1"};
  node.state = State::failed;
  node.exit_code = 0;
  node.result = "";
  node.output_parameters = {{"p", "1"}};
  ArtifactRecord artifact;
  artifact.name = "output";
  artifact.tree = sha256("tree");
  artifact.times = sha256("times");
  artifact.bytes = 1ULL << 40;
  artifact.archive = {Archive::Kind::tar, 0};
  artifact.live = true;
  node.output_artifacts = {artifact};
  run.nodes = {node};
  run.logs = artifact;

  Json json = to_json(run);
  Result<RunRecord> again = run_from_json(json);
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(to_text(to_json(*again)), to_text(json));
  EXPECT_EQ(again->nodes[0].exit_code, 0);
  EXPECT_EQ(again->nodes[0].result, "");
  EXPECT_EQ(again->nodes[0].output_artifacts[0].archive.compression_level, 0);
  EXPECT_EQ(again->created, run.created);
}

TEST(Record, OfANewerKistIsRefusedByName) {
  Result<RunRecord> run = run_from_json({{"name", "r"}, {"status", "failed"}, {"version", 99}});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().kind, ErrorKind::unsupported);
}

TEST(Record, DamageIsAnErrorThatNamesTheKey) {
  Result<RunRecord> run = run_from_json({{"name", "r"}, {"status", "failed"}, {"nodes", 3}});
  ASSERT_FALSE(run);
  EXPECT_NE(run.error().text.find("nodes"), std::string::npos);
}

}  // namespace
}  // namespace kist::model
