// Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), with the refinement to linear space of its section
// 4b: from both ends at once to the middle of a shortest path, then each half by itself. Lines are numbers, equal lines
// the same one. Where the middle is far (kDearest steps from both ends) the furthest reaching path is taken for it, so
// that two texts that have nothing in common cost no more than that.
#include "base/text_diff.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

namespace kist {
namespace {

constexpr std::size_t kContext = 3;
constexpr std::int64_t kDearest = 256;

using Lines = std::vector<std::string_view>;  // each with its line break
using Numbers = std::vector<std::uint32_t>;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t length = end == std::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return lines;
}

class Comparison {
 public:
  Comparison(const Numbers& before, const Numbers& after)
      : before_(before), after_(after), removed(before.size()), added(after.size()) {
    const std::size_t size = 2 * (before.size() + after.size()) + 3;
    forward_.resize(size);
    backward_.resize(size);
    compare(0, static_cast<std::int64_t>(before.size()), 0, static_cast<std::int64_t>(after.size()));
  }

 private:
  struct Middle {
    std::int64_t x;
    std::int64_t y;
  };

  bool same(std::int64_t x, std::int64_t y) const {
    return before_[static_cast<std::size_t>(x)] == after_[static_cast<std::size_t>(y)];
  }

  // Lines [x, x_end) and [y, y_end).
  void compare(std::int64_t x, std::int64_t x_end, std::int64_t y, std::int64_t y_end) {
    while (true) {
      while (x < x_end && y < y_end && same(x, y)) ++x, ++y;
      while (x < x_end && y < y_end && same(x_end - 1, y_end - 1)) --x_end, --y_end;
      if (x == x_end || y == y_end) break;
      const Middle middle = find_middle(x, x_end, y, y_end);
      // The smaller half by recursion, so that it is never deep.
      if (middle.x - x + (middle.y - y) < x_end - middle.x + (y_end - middle.y)) {
        compare(x, middle.x, y, middle.y);
        x = middle.x;
        y = middle.y;
      } else {
        compare(middle.x, x_end, middle.y, y_end);
        x_end = middle.x;
        y_end = middle.y;
      }
    }
    std::fill(removed.begin() + x, removed.begin() + x_end, true);
    std::fill(added.begin() + y, added.begin() + y_end, true);
  }

  // A point on a shortest path that is neither corner. Both texts have lines, and differ in the first and the last.
  Middle find_middle(std::int64_t x_begin, std::int64_t x_end, std::int64_t y_begin, std::int64_t y_end) {
    const std::int64_t n = x_end - x_begin;
    const std::int64_t m = y_end - y_begin;
    const std::int64_t delta = n - m;
    const bool odd = delta % 2 != 0;
    const std::int64_t zero = n + m + 1;  // where diagonal 0 stands
    const auto at = [zero](std::int64_t diagonal) { return static_cast<std::size_t>(zero + diagonal); };
    forward_[at(1)] = 0;
    backward_[at(1)] = 0;
    for (std::int64_t d = 0;; ++d) {
      for (std::int64_t k = -d; k <= d; k += 2) {
        std::int64_t x = k == -d || (k != d && forward_[at(k - 1)] < forward_[at(k + 1)]) ? forward_[at(k + 1)]
                                                                                          : forward_[at(k - 1)] + 1;
        std::int64_t y = x - k;
        if (x > n || y > m || y < 0) {
          forward_[at(k)] = x;  // outside; no neighbour comes from it
          continue;
        }
        while (x < n && y < m && same(x_begin + x, y_begin + y)) ++x, ++y;
        forward_[at(k)] = x;
        const std::int64_t back = delta - k;
        if (odd && back >= -(d - 1) && back <= d - 1 && x + backward_[at(back)] >= n && is_inner(x, y, n, m))
          return {x_begin + x, y_begin + y};
      }
      for (std::int64_t k = -d; k <= d; k += 2) {
        std::int64_t x = k == -d || (k != d && backward_[at(k - 1)] < backward_[at(k + 1)]) ? backward_[at(k + 1)]
                                                                                            : backward_[at(k - 1)] + 1;
        std::int64_t y = x - k;
        if (x > n || y > m || y < 0) {
          backward_[at(k)] = x;
          continue;
        }
        while (x < n && y < m && same(x_end - 1 - x, y_end - 1 - y)) ++x, ++y;
        backward_[at(k)] = x;
        const std::int64_t front = delta - k;
        if (!odd && front >= -d && front <= d && x + forward_[at(front)] >= n && is_inner(n - x, m - y, n, m))
          return {x_end - x, y_end - y};
      }
      if (d >= std::min(kDearest, n + m)) return furthest(x_begin, n, y_begin, m, d, at);
    }
  }

  static bool is_inner(std::int64_t x, std::int64_t y, std::int64_t n, std::int64_t m) {
    return x >= 0 && y >= 0 && x <= n && y <= m && x + y > 0 && x + y < n + m;
  }

  template <typename At>
  Middle furthest(std::int64_t x_begin, std::int64_t n, std::int64_t y_begin, std::int64_t m, std::int64_t d,
                  const At& at) const {
    Middle best{0, 0};
    for (std::int64_t k = -d; k <= d; k += 2) {
      const std::int64_t x = forward_[at(k)];
      const std::int64_t y = x - k;
      if (is_inner(x, y, n, m) && x + y > best.x + best.y) best = {x, y};
    }
    if (best.x + best.y == 0) best = {n, 0};  // all of one, then all of the other
    return {x_begin + best.x, y_begin + best.y};
  }

  const Numbers& before_;
  const Numbers& after_;
  std::vector<std::int64_t> forward_;   // the furthest x on each diagonal, from the beginning
  std::vector<std::int64_t> backward_;  // likewise from the end

 public:
  std::vector<bool> removed;  // lines of the first text
  std::vector<bool> added;    // lines of the second
};

// Lines before.[from, to) and after.[from, to) that belong to one change.
struct Change {
  std::size_t before_from;
  std::size_t before_to;
  std::size_t after_from;
  std::size_t after_to;
};

std::vector<Change> changes_of(const Comparison& comparison) {
  std::vector<Change> changes;
  std::size_t x = 0;
  std::size_t y = 0;
  while (x < comparison.removed.size() || y < comparison.added.size()) {
    Change change{x, x, y, y};
    while (x < comparison.removed.size() && comparison.removed[x]) ++x;
    while (y < comparison.added.size() && comparison.added[y]) ++y;
    change.before_to = x;
    change.after_to = y;
    if (change.before_from != x || change.after_from != y) {
      changes.push_back(change);
    } else {
      ++x;
      ++y;
    }
  }
  return changes;
}

void append_line(std::string& text, char mark, std::string_view line) {
  text += mark;
  text += line;
  if (!line.ends_with('\n')) text += "\n\\ No newline at end of file\n";
}

// "3,4"; "3" for one line; "2,0" for none behind line 2.
std::string range_text(std::size_t from, std::size_t count) {
  if (count == 1) return fmt::format("{}", from + 1);
  return fmt::format("{},{}", count == 0 ? from : from + 1, count);
}

// One hunk: changes that are near each other.
void append_hunk(std::string& text, std::span<const Change> changes, const Lines& before, const Lines& after) {
  const std::size_t lead = std::min(kContext, changes.front().before_from);
  const std::size_t tail = std::min(kContext, before.size() - changes.back().before_to);
  const std::size_t from = changes.front().before_from - lead;
  const std::size_t to = changes.back().before_to + tail;
  const std::size_t after_from = changes.front().after_from - lead;
  const std::size_t after_to = changes.back().after_to + tail;
  text += fmt::format("@@ -{} +{} @@\n", range_text(from, to - from), range_text(after_from, after_to - after_from));
  std::size_t at = from;
  for (const Change& change : changes) {
    for (; at < change.before_from; ++at) append_line(text, ' ', before[at]);
    for (; at < change.before_to; ++at) append_line(text, '-', before[at]);
    for (std::size_t line = change.after_from; line < change.after_to; ++line) append_line(text, '+', after[line]);
  }
  for (; at < to; ++at) append_line(text, ' ', before[at]);
}

}  // namespace

bool is_text(std::string_view bytes) {
  return bytes.find('\0') == std::string_view::npos;
}

std::string unified_diff(std::string_view before, std::string_view after) {
  if (before == after) return "";
  const Lines old_lines = lines_of(before);
  const Lines new_lines = lines_of(after);
  std::unordered_map<std::string_view, std::uint32_t> numbers;
  const auto numbered = [&](const Lines& lines) {
    Numbers result;
    result.reserve(lines.size());
    for (const std::string_view line : lines)
      result.push_back(numbers.emplace(line, static_cast<std::uint32_t>(numbers.size())).first->second);
    return result;
  };
  const Numbers old_numbers = numbered(old_lines);
  const Numbers new_numbers = numbered(new_lines);
  const Comparison comparison(old_numbers, new_numbers);
  const auto changes = changes_of(comparison);
  std::string text;
  for (std::size_t first = 0; first < changes.size();) {
    std::size_t last = first;
    while (last + 1 < changes.size() && changes[last + 1].before_from - changes[last].before_to <= 2 * kContext) ++last;
    append_hunk(text, std::span(changes).subspan(first, last + 1 - first), old_lines, new_lines);
    first = last + 1;
  }
  return text;
}

}  // namespace kist
