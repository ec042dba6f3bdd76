// The one place that puts kist together: home, catalog, store, dialects, launcher, place, engine. Each part is opened
// when a command first asks for it, so that a listing works where the store cannot be written, and `kist --version`
// opens nothing.
#pragma once

#include <memory>
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

// The parts, owned here. Pointers stay valid as long as the house. Not thread-safe (what it gives out is).
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
  std::vector<std::unique_ptr<store::RemoteStore>> used_remotes_;  // hold what was pulled until a run refers to it
};

// A uniform random number below `limit`, from the kernel.
std::uint32_t random_below(std::uint32_t limit);

}  // namespace kist::cli
