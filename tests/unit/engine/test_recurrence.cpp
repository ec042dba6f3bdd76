// Workflows that are run again and again: what becomes of a run where others of it are under way.
#include "engine/house.hpp"

namespace kist::engine::testing {
namespace {

using model::Recurrence;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RecurrenceTest : public EngineTest {
 protected:
  RecurrenceTest() { define("main", task({"succeed"})); }

  std::string submit_as(const std::string& name, Recurrence::Overlap overlap) {
    dialect.workflow.naming.stem = name;
    dialect.workflow.recurrence = Recurrence{.overlap = overlap};
    said.clear();
    return submit();
  }
  std::vector<catalog::Request::Kind> asked(const std::string& run) {
    std::vector<catalog::Request::Kind> kinds;
    const auto requests = catalog->requests(run).value();
    for (const catalog::Request& request : requests) kinds.push_back(request.kind);
    return kinds;
  }
};

TEST_F(RecurrenceTest, OneThatIsWrittenDownIsUnderWayBeforeItIsOwned) {
  EXPECT_EQ(submit_as("first", Recurrence::Overlap::forbid), "first");
  EXPECT_EQ(submit_as("second", Recurrence::Overlap::forbid), "");
  EXPECT_THAT(said, ElementsAre(HasSubstr("its run first goes on")));
  EXPECT_EQ(catalog->runs({})->size(), 1U);
  // Whoever was to own it is lost.
  Engine later(Parts{home, *catalog, store, dialects, [] { return now() + std::chrono::hours(1); },
                     [](std::uint32_t) { return 0U; }});
  model::RunRequest request;
  request.dialect = "small";
  request.project = "/project";
  EXPECT_EQ(later.submit(request, [](const model::Notice&) {}).value(), "second");
}

TEST_F(RecurrenceTest, WhatIsReplacedEndsOnlyForARunThatIsThere) {
  EXPECT_EQ(submit_as("first", Recurrence::Overlap::replace), "first");
  EXPECT_THAT(submit_as("first", Recurrence::Overlap::replace), HasSubstr("ERROR"));  // there is one of this name
  EXPECT_THAT(asked("first"), IsEmpty());
  EXPECT_EQ(submit_as("second", Recurrence::Overlap::replace), "second");
  EXPECT_THAT(asked("first"), ElementsAre(catalog::Request::Kind::abort));
  EXPECT_THAT(said, ElementsAre("first is aborted: this run replaces it"));
  EXPECT_THAT(asked("second"), IsEmpty());
  EXPECT_EQ(engine.own("first", place, watcher).value(), State::aborted);
}

}  // namespace
}  // namespace kist::engine::testing
