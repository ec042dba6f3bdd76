// What frees space works on a full disk too.
#pragma once

#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "cli/house.hpp"

namespace kist::cli {

// Does what is to free space, which has to write a little for it: where the disk is full, once more with the home's
// reserve. `action` can be repeated.
template <typename Action>
std::invoke_result_t<Action> with_reserve(House& house, Action&& action) {
  auto done = action();
  if (done || done.error().kind != ErrorKind::no_space) return done;
  const auto home = house.home();
  if (!home) return done;
  const bool had_reserve = (*home)->give_up_reserve();
  if (had_reserve) done = action();
  (*home)->keep_reserve();
  if (!done && done.error().kind == ErrorKind::no_space)
    done.error().text += fmt::format("\n{}: remove some other files on the disk of {} first, then try again",
                                     had_reserve ? "The space that was kept for this is not enough"
                                                 : "No space is left to write down what is removed",
                                     (*home)->path().string());
  return done;
}

}  // namespace kist::cli
