// Whatever a table of mounts says is read or left out, and what is read can be asked.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sandbox/host.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  kist::sandbox::Host host;
  const auto all = kist::sandbox::parse_mount_table(text);
  host.mounts = kist::sandbox::reachable_mounts(all);
  if (host.mounts.size() > all.size()) __builtin_trap();
  for (const auto& mount : host.mounts) {
    const auto* found = host.mount_of(mount.path);
    if (found == nullptr || !kist::sandbox::is_within(mount.path, found->path)) __builtin_trap();
    (void)host.has_mounts_below(mount.path);
    (void)host.aliases(mount.path);
  }
  return 0;
}
