// What the engine itself costs, printed and not judged: machines differ. Limits are held by `make bench`.
#include <chrono>

#include "engine/house.hpp"

namespace kist::engine::testing {
namespace {

std::size_t resident_kilobytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  return 0;
}

class Speed : public EngineTest {};

TEST_F(Speed, AGraphOfAThousandTasks) {
  constexpr int kTasks = 1000;
  std::vector<model::Step> steps;
  std::vector<Dependency> every;
  for (int i = 0; i < kTasks - 1; ++i) {
    steps.push_back(step(fmt::format("task-{}", i), "ok"));
    every.push_back(is(steps.back().name));
  }
  steps.push_back(step("last", "ok", all(std::move(every))));
  define("main", graph(std::move(steps)));
  define("ok", task({"succeed"}));
  place.keep_documents = false;
  std::string name = submit();
  std::size_t before = resident_kilobytes();
  std::size_t most = 0;
  watcher.on_node = [&](const model::NodeRecord& node) {
    if (node.step == "last") most = std::max(most, resident_kilobytes());
  };
  auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(engine.own(name, place, watcher).value(), State::succeeded);
  std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  fmt::print("{} tasks: {:.0f} ms, {:.3f} ms each; {} KiB more\n", kTasks, took.count(), took.count() / kTasks,
             std::max(most, resident_kilobytes()) - before);
}

}  // namespace
}  // namespace kist::engine::testing
