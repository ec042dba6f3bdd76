#include "sandbox/privileges.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.hpp"

namespace kist::sandbox {
namespace {

// What a container engine leaves to root by default, and what debuggers, schedulers and batch programs need. Not among
// them, above all: SYS_ADMIN (remounts a read-only input), MKNOD, SYS_MODULE, SYS_RAWIO, SYS_TIME, SYS_BOOT, BPF;
// DAC_READ_SEARCH (opens any file of a mounted file system by its handle, hidden or not); NET_ADMIN (the network is the
// host's); LINUX_IMMUTABLE (leaves files that nobody can remove).
constexpr auto kKept = std::to_array<int>(
    {CAP_CHOWN,      CAP_DAC_OVERRIDE,     CAP_FOWNER,        CAP_FSETID,  CAP_KILL,     CAP_SETGID,     CAP_SETUID,
     CAP_SETPCAP,    CAP_NET_BIND_SERVICE, CAP_NET_BROADCAST, CAP_NET_RAW, CAP_IPC_LOCK, CAP_IPC_OWNER,  CAP_SYS_CHROOT,
     CAP_SYS_PTRACE, CAP_SYS_NICE,         CAP_SYS_RESOURCE,  CAP_LEASE,   CAP_SETFCAP,  CAP_AUDIT_WRITE});

bool is_kept(int capability) {
  return std::ranges::find(kKept, capability) != kKept.end();
}

}  // namespace

void drop_capabilities(bool none) {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability)
    if (none || !is_kept(capability)) ::prctl(PR_CAPBSET_DROP, capability);

  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return;
  std::array<std::uint32_t, 2> kept{};
  if (!none)
    for (int capability : kKept) kept[static_cast<std::size_t>(capability) / 32] |= 1U << (capability % 32);
  for (std::size_t i = 0; i < sets.size(); ++i) {
    sets[i].permitted &= kept[i];
    sets[i].effective = sets[i].permitted;
    sets[i].inheritable = 0;
  }
  ::syscall(SYS_capset, &header, sets.data());
}

void reset_signals() {
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
  // The C library keeps the first real-time signals for itself and refuses them above; whoever was started by its
  // posix_spawn() has them ignored, and would hand that on to every task.
  constexpr std::array<char, 32> kKernelsStandard{};  // its struct sigaction, which is all zero for SIG_DFL
  for (int number = __SIGRTMIN; number < SIGRTMIN; ++number)
    ::syscall(SYS_rt_sigaction, number, kKernelsStandard.data(), nullptr, NSIG / 8);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void forget_arguments(const char* name) {
  ::prctl(PR_SET_NAME, name);
  auto text = read_file("/proc/self/stat");
  if (!text) return;
  // Fields 48 to 51 of proc(5), counted behind the program's name: where arguments and environment begin and end.
  std::size_t begin = text->rfind(") ");
  if (begin == std::string::npos) return;
  std::string_view rest = std::string_view(*text).substr(begin + 2);
  std::array<std::uintptr_t, 52> fields{};
  for (std::size_t field = 3; field < fields.size() && !rest.empty(); ++field) {
    fields[field] = std::strtoull(std::string(rest.substr(0, rest.find(' '))).c_str(), nullptr, 10);
    std::size_t blank = rest.find(' ');
    rest.remove_prefix(blank == std::string_view::npos ? rest.size() : blank + 1);
  }
  auto wipe = [](std::uintptr_t from, std::uintptr_t to) {
    // The kernel tells numbers. NOLINTNEXTLINE(performance-no-int-to-ptr)
    if (from != 0 && from < to) std::memset(reinterpret_cast<void*>(from), 0, to - from);
  };
  static char* nothing[] = {nullptr};
  environ = nothing;
  wipe(fields[50], fields[51]);
  wipe(fields[48], fields[49]);
  if (fields[48] != 0 && fields[48] < fields[49])
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    std::snprintf(reinterpret_cast<char*>(fields[48]), fields[49] - fields[48], "%s", name);
}

}  // namespace kist::sandbox
