// Hides the values of secrets in what a task writes. A value is found wherever it stands, also where it came in several
// pieces, or only one of its lines is printed, or in base64; what is hidden reads `***`.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kist::task {

// Values shorter than this are not hidden: a `1` would be hidden everywhere, and by that be told.
inline constexpr std::size_t kShortestMasked = 3;

// The values to hide. Not thread-safe.
class Mask {
 public:
  // Hides a value from now on, each of its lines too, and both as base64.
  void add(std::string_view value);
  bool is_empty() const { return values_.empty(); }
  // Those of the values that stand in a text; of one in base64 also what it stands for.
  std::vector<std::string> found_in(std::string_view text) const;
  // What was added, and its lines.
  std::vector<std::string> values() const;
  // A whole text with the values hidden.
  std::string hide(std::string_view text) const;

 private:
  friend class MaskedStream;
  std::size_t add_text(std::string text, std::optional<std::size_t> plain);

  std::vector<std::string> values_;
  std::vector<std::size_t> plain_;  // for each of them the index of what it is the base64 of, or its own
};

// One stream of bytes on its way out. Its end is held back while it may be the beginning of a value.
class MaskedStream {
 public:
  // What can go out now.
  std::string pass(const Mask& mask, std::string_view bytes);
  // The rest: nothing more will come.
  std::string finish(const Mask& mask);

 private:
  std::string move_on(const Mask& mask, bool is_end);

  std::string held_;
  std::size_t covered_ = 0;  // so many bytes of what is held belong to a value that was found
};

}  // namespace kist::task
