// The data sets that bench/store.py saves: the same bytes on every machine.
//
//   store_data big FILE BYTES              random bytes
//   store_data small DIRECTORY FILES       files of 1 to 50 KB, log-uniform, half random, half JSON lines, 200 a
//   directory store_data lines DIRECTORY FILES BYTES files of JSON lines store_data edit DIRECTORY              changes
//   about 1 % of each such file: a rewrite, insertions, an appendix
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace {

namespace fs = std::filesystem;
using Random = std::mt19937_64;

void write(const fs::path& path, std::string_view bytes, bool append = false) {
  std::ofstream file(path, std::ios::binary | (append ? std::ios::app : std::ios::trunc));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) {
    std::fprintf(stderr, "cannot write %s\n", path.c_str());
    std::exit(1);
  }
}

std::string noise(std::size_t size, Random& random) {
  std::string bytes((size + 7) / 8 * 8, '\0');
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    auto number = random();
    bytes.replace(at, 8, reinterpret_cast<const char*>(&number), 8);
  }
  bytes.resize(size);
  return bytes;
}

std::string json_lines(std::size_t size, Random& random) {
  constexpr const char* kWords[] = {"train", "validate", "epoch", "checkpoint", "metrics", "sample", "label", "image"};
  std::string text;
  text.reserve(size + 256);
  for (std::uint64_t line = random() % 100'000; text.size() < size; ++line) {
    std::uint64_t number = random();
    fmt::format_to(std::back_inserter(text),
                   "{{\"id\": {}, \"kind\": \"{}\", \"name\": \"{}-{}\", \"loss\": 0.{:06}, \"user\": \"{:010x}\", "
                   "\"time\": \"2024-05-{:02}T{:02}:{:02}:{:02}Z\"}}\n",
                   line, kWords[number % 8], kWords[number / 8 % 8], number / 64 % 1000, number / 64000 % 1'000'000,
                   random() >> 24, 1 + line / 86400 % 28, line / 3600 % 24, line / 60 % 60, line % 60);
  }
  text.resize(size);
  return text;
}

void big(const fs::path& file, std::size_t size) {
  Random random(1);
  constexpr std::size_t kBlock = 16 << 20;
  for (std::size_t at = 0; at < size; at += kBlock) write(file, noise(std::min(kBlock, size - at), random), at > 0);
}

void small(const fs::path& directory, std::size_t count) {
  Random random(2);
  fs::create_directory(directory);
  for (std::size_t i = 0; i < count; ++i) {
    fs::path below = directory / fmt::format("directory-{:03}", i / 200);
    if (i % 200 == 0) fs::create_directory(below);
    double where = static_cast<double>(random() >> 11) / static_cast<double>(1ULL << 53);
    auto size = static_cast<std::size_t>(1000 * std::pow(50.0, where));
    write(below / fmt::format("file-{:06}{}", i, i % 2 == 0 ? ".bin" : ".jsonl"),
          i % 2 == 0 ? noise(size, random) : json_lines(size, random));
  }
}

void lines(const fs::path& directory, std::size_t count, std::size_t size) {
  Random random(3);
  fs::create_directory(directory);
  for (std::size_t i = 0; i < count; ++i)
    write(directory / fmt::format("part-{:03}.jsonl", i), json_lines(size, random));
}

// Of 8 MiB: 40 KB rewritten, four insertions of 100 bytes, 40 KB appended.
void edit(const fs::path& directory) {
  Random random(4);
  for (const auto& entry : fs::directory_iterator(directory)) {
    std::ifstream file(entry.path(), std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(file), {});
    std::size_t some = text.size() / 200;
    text.replace(random() % (text.size() - some), some, json_lines(some, random));
    for (int i = 0; i < 4; ++i) text.insert(random() % text.size(), json_lines(100, random));
    write(entry.path(), text + json_lines(some, random));
  }
}

}  // namespace

int main(int count, char** words) {
  std::string_view what = count > 1 ? words[1] : "";
  auto number = [&](int which) { return static_cast<std::size_t>(std::strtoull(words[which], nullptr, 10)); };
  if (what == "big" && count == 4)
    big(words[2], number(3));
  else if (what == "small" && count == 4)
    small(words[2], number(3));
  else if (what == "lines" && count == 5)
    lines(words[2], number(3), number(4));
  else if (what == "edit" && count == 3)
    edit(words[2]);
  else
    return std::fputs("usage: store_data big FILE BYTES | small DIR FILES | lines DIR FILES BYTES | edit DIR\n",
                      stderr),
           2;
  return 0;
}
