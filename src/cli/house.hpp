// The one place that puts kist together: home, catalog, store, dialects, launcher, place, engine. Each part is opened
// when a command first asks for it, so that a listing works where the store cannot be written, and `kist --version`
// opens nothing.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "catalog/catalog.hpp"
#include "catalog/home.hpp"
#include "engine/engine.hpp"
#include "environment/place.hpp"
#include "model/dialect.hpp"
#include "sandbox/sandbox.hpp"
#include "store/remote.hpp"
#include "store/store.hpp"

namespace kist::cli {

// The dialects kist speaks, in the order in which they are asked whether a file is theirs.
const engine::Dialects& dialects();
// How a run's own system words things: that of its dialect; errors: not_found (a record of a newer kist).
Result<const model::Wording*> wording_of(std::string_view dialect);

// The parts, owned here. Pointers stay valid as long as the house. What it gives out is thread-safe. Itself it is for
// one thread, until parts() has opened all of it; from then on any thread may ask.
class House {
 public:
  Result<const catalog::Home*> home();
  Result<catalog::Catalog*> catalog();
  Result<store::Store*> store();
  Result<engine::Parts> parts();

 private:
  Result<model::RunRecord> remote_tag(std::string_view remote, std::string_view tag);

  std::optional<catalog::Home> home_;
  std::unique_ptr<catalog::Catalog> catalog_;
  std::unique_ptr<store::Store> store_;
  // They hold what was pulled until a run refers to it. Tasks start runs too, several at once.
  struct UsedRemotes {
    std::mutex mutex;
    std::vector<std::unique_ptr<store::RemoteStore>> all;
  };
  std::unique_ptr<UsedRemotes> used_remotes_ = std::make_unique<UsedRemotes>();
};

// A uniform random number below `limit`, from the kernel.
std::uint32_t random_below(std::uint32_t limit);

}  // namespace kist::cli
