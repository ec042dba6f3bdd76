#include "model/address.hpp"

#include <gtest/gtest.h>

namespace kist::model {
namespace {

NodeRecord node(const std::string& name, const std::string& parent, const std::string& step,
                std::vector<std::string> artifacts, NodeKind kind = NodeKind::task) {
  NodeRecord record;
  record.names.name = name;
  record.parent = parent;
  record.step = step;
  record.kind = kind;
  for (std::string& artifact : artifacts) {
    ArtifactRecord output;
    output.name = std::move(artifact);
    record.output_artifacts.push_back(output);
  }
  return record;
}

RunRecord run(std::vector<NodeRecord> nodes) {
  RunRecord record;
  record.name = "r";
  record.nodes = std::move(nodes);
  return record;
}

std::vector<std::string> texts(const RunRecord& record) {
  std::vector<std::string> result;
  for (const AddressedArtifact& artifact : addresses(record)) result.push_back(artifact.address);
  return result;
}

TEST(Address, IsTheNameAloneWhereThatIsUnambiguous) {
  RunRecord record = run({node("r", "", "", {"output", "dir2/dir22"})});
  EXPECT_EQ(texts(record), (std::vector<std::string>{"output", "dir2/dir22"}));
}

TEST(Address, TakesTheStepWhereTwoStepsSaveOneName) {
  RunRecord record = run(
      {node("r", "", "", {}, NodeKind::graph), node("r.a", "r", "a", {"out"}), node("r.b", "r", "b", {"out", "log"})});
  EXPECT_EQ(texts(record), (std::vector<std::string>{"a/out", "b/out", "log"}));
}

TEST(Address, TakesTheWholeNodeNameWhereStepNamesRepeat) {
  RunRecord record = run({node("r", "", "", {}, NodeKind::sequence), node("r[0].a", "r", "a", {"out"}),
                          node("r[1].a", "r", "a", {"out"})});
  EXPECT_EQ(texts(record), (std::vector<std::string>{"r[0].a/out", "r[1].a/out"}));
}

TEST(Address, LeavesOutWhatAGroupHandsOn) {
  RunRecord record = run({node("r", "", "", {"out"}, NodeKind::graph), node("r.a", "r", "a", {"out"})});
  EXPECT_EQ(texts(record), std::vector<std::string>{"out"});
}

TEST(Address, ResolvesShortAndLongForms) {
  RunRecord record =
      run({node("r", "", "", {}, NodeKind::graph), node("r.a", "r", "a", {"out"}), node("r.b", "r", "b", {"log"})});
  for (const char* form : {"out/x/y", "a/out/x/y", "r.a/out/x/y", "./out/x/y/"}) {
    Result<Resolved> found = resolve(record, form);
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_EQ(found->artifact.address, "out");
    EXPECT_EQ(found->inside, "x/y");
  }
}

TEST(Address, PrefersTheLongestNameThatAPathBeginsWith) {
  RunRecord record = run({node("r", "", "", {"tmp", "tmp/artifacts"})});
  EXPECT_EQ(resolve(record, "tmp/artifacts/x")->artifact.artifact->name, "tmp/artifacts");
  EXPECT_EQ(resolve(record, "tmp/other")->artifact.artifact->name, "tmp");
}

TEST(Address, NeverTakesAPartOfAName) {
  RunRecord record = run({node("r", "", "", {"output"})});
  Result<Resolved> found = resolve(record, "output2/x");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::not_found);
  EXPECT_NE(found.error().text.find("output"), std::string::npos);
}

TEST(Address, NamesTheCandidatesOfAnAmbiguousPath) {
  RunRecord record =
      run({node("r", "", "", {}, NodeKind::graph), node("r.a", "r", "a", {"out"}), node("r.b", "r", "b", {"out"})});
  Result<Resolved> found = resolve(record, "out");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::invalid);
  EXPECT_NE(found.error().text.find("a/out"), std::string::npos);
  EXPECT_NE(found.error().text.find("b/out"), std::string::npos);
}

}  // namespace
}  // namespace kist::model
