#include "task/performing.hpp"

namespace kist::task::test {
namespace {

std::unique_ptr<sandbox::Launcher> started;

class StartLauncher final : public testing::Environment {
  void SetUp() override {
    auto launched = sandbox::Launcher::start();
    if (launched) started = std::move(*launched);
  }
  void TearDown() override { started.reset(); }
};
const auto* const kRegistered = testing::AddGlobalTestEnvironment(new StartLauncher);

}  // namespace

sandbox::Launcher* launcher() {
  return started.get();
}

}  // namespace kist::task::test
