// A visitor of a std::variant, made of a lambda for each case.
#pragma once

namespace kist {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace kist
