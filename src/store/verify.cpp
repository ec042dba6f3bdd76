#include "store/verify.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kist::store {
namespace {
constexpr std::string_view kTableSuffix = ".table";
}

Result<VerifyReport> verify_store(const StoreDirectory& directory, Chunks& chunks) {
  VerifyReport report;
  // Another process may merge an index file away, or collect a container, while this reads: what is gone is not
  // damaged.
  auto note = [&](const Error& error) {
    if (error.kind != ErrorKind::not_found) report.damaged.push_back(error.text);
  };

  KIST_TRY_ASSIGN(auto indexes, directory.names("index"));
  for (const std::string& name : indexes) {
    auto index = IndexFile::open(directory, name);
    if (!index) {
      note(index.error());
      continue;
    }
    if (auto checked = (*index)->check(); !checked)
      report.damaged.push_back(fmt::format("{}: {}", directory.show("index/" + name), checked.error().text));
    for (std::uint32_t i = 0; i < (*index)->containers(); ++i)
      if (!(*index)->container_stands(directory, i))
        report.damaged.push_back(fmt::format("{} is missing or has another size than {} says",
                                             directory.show((*index)->container(i).path()),
                                             directory.show("index/" + name)));
  }

  KIST_TRY_ASSIGN(auto names, directory.names("containers"));
  std::ranges::sort(names);
  Bytes bytes;
  for (const std::string& name : names) {
    if (name.ends_with(kTableSuffix)) continue;
    auto table = chunks.table(name);
    if (!table) {
      note(table.error());
      continue;
    }
    std::string path = directory.show(table->container.path());
    auto file = directory.open_file(table->container.path(), O_RDONLY);
    if (!file) {
      note(file.error());
      continue;
    }
    for (const IndexRecord& frame : table->frames) {
      ++report.chunks;
      report.bytes += frame.length;
      if (auto read = chunks.read_frame(file->get(), path, frame, bytes); !read) note(read.error());
    }
  }
  return report;
}

}  // namespace kist::store
