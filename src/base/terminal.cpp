#include "base/terminal.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.hpp"

namespace kist {
namespace {

constexpr std::string_view kColumnGap = "  ";

std::vector<std::string> printable_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (true) {
    auto end = text.find('\n');
    lines.push_back(printable(text.substr(0, end)));
    if (end == std::string_view::npos) return lines;
    text.remove_prefix(end + 1);
  }
}

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

}  // namespace

bool is_terminal(int descriptor) {
  return ::isatty(descriptor) == 1;
}

int terminal_width(int descriptor, int otherwise) {
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : otherwise;
}

bool wants_color(int descriptor) {
  const char* terminal = std::getenv("TERM");
  return is_terminal(descriptor) && !is_set("NO_COLOR") && terminal != nullptr && std::string_view(terminal) != "dumb";
}

std::string paint(std::string_view text, Color color, bool colored) {
  constexpr std::array<int, 7> codes{0, 1, 2, 31, 32, 33, 34};
  if (!colored || color == Color::none) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", codes[static_cast<std::size_t>(color)], text);
}

std::string human_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 7> units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{}.0B", bytes);
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  return fmt::format("{:3.1f}{}", value, units[unit]);
}

Table::Table(std::vector<std::string> headers) : headers_(std::move(headers)) {}

void Table::add(std::vector<Cell> cells) {
  rows_.push_back(std::move(cells));
}

std::string Table::to_text(bool colored) const {
  struct Block {
    std::vector<std::string> lines;
    Color color;
  };
  std::vector<std::vector<Block>> blocks;
  std::vector<std::size_t> widths(headers_.size());
  auto lay_out = [&](const std::vector<Cell>& cells) {
    std::vector<Block>& row = blocks.emplace_back();
    for (const Cell& cell : cells) {
      Block& block = row.emplace_back(printable_lines(cell.text), cell.color);
      if (widths.size() < row.size()) widths.resize(row.size());
      for (const std::string& line : block.lines)
        widths[row.size() - 1] = std::max(widths[row.size() - 1], display_width(line));
    }
  };
  lay_out(std::vector<Cell>(headers_.begin(), headers_.end()));
  for (const auto& row : rows_) lay_out(row);

  std::string text;
  for (const auto& row : blocks) {
    std::size_t height = 1;
    for (const Block& block : row) height = std::max(height, block.lines.size());
    for (std::size_t i = 0; i < height; ++i) {
      std::size_t owed = 0;  // spaces to print before the next text: those at the end never are
      for (std::size_t column = 0; column < row.size(); ++column) {
        const Block& block = row[column];
        std::string_view line = i < block.lines.size() ? std::string_view(block.lines[i]) : std::string_view();
        if (!line.empty()) {
          text.append(owed, ' ');
          text += paint(line, block.color, colored);
          owed = 0;
        }
        owed += widths[column] - display_width(line) + kColumnGap.size();
      }
      text += '\n';
    }
  }
  return text;
}

}  // namespace kist
