// What kist prints for people: tables, sizes, colours where there is a terminal to show them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kist {

bool is_terminal(int descriptor);

// Columns of the terminal, or `otherwise` where the descriptor is none.
int terminal_width(int descriptor, int otherwise = 80);

// Whether to print colours: to a terminal that has them, unless NO_COLOR is set and not empty (https://no-color.org).
bool wants_color(int descriptor);

enum class Color { none, bold, faint, red, green, yellow, blue };

// The text in that colour; as it is where not `colored`.
std::string paint(std::string_view text, Color color, bool colored = true);

// "2.0B", "9.8KiB", "7.5MiB": dstack's form (`%3.1f`, 1024-based).
std::string human_size(std::uint64_t bytes);

// A table of text. Each column is as wide as its widest cell, two spaces apart; nothing is cut off; lines do not end
// with spaces. A cell of several lines takes several lines. Control characters in cells are shown as `\x1b`.
class Table {
 public:
  struct Cell {
    Cell(std::string cell_text, Color cell_color = Color::none) : text(std::move(cell_text)), color(cell_color) {}
    Cell(std::string_view cell_text) : text(cell_text) {}
    Cell(const char* cell_text) : text(cell_text) {}
    std::string text;
    Color color = Color::none;
  };

  explicit Table(std::vector<std::string> headers);
  // Missing cells at the end are empty.
  void add(std::vector<Cell> cells);
  bool empty() const { return rows_.empty(); }
  // Headers and rows, each line ended by a line break.
  std::string to_text(bool colored = false) const;

 private:
  std::vector<std::string> headers_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace kist
