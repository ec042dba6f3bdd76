#include "sandbox/step.hpp"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "sandbox/mounts.hpp"
#include "sandbox/view.hpp"

namespace kist::sandbox {
namespace {

namespace fs = std::filesystem;

Status make_directories(const fs::path& path) {
  if (leads_to_directory(path)) return {};
  fs::path made;
  for (const fs::path& part : path) {
    made /= part;
    if (::mkdir(made.c_str(), 0755) == 0 || leads_to_directory(made)) continue;
    return fail_errno(fmt::format("cannot create {} in the task's root", made.string()), errno);
  }
  return {};
}

// Root's writes to the kernel's settings would reach the host.
Status guard_settings() {
  for (const char* path : {"/proc/sys", "/proc/sysrq-trigger"}) {
    auto same = clone_mount(path, false, true);
    if (same) KIST_TRY(attach(*same, path));
  }
  return {};
}

Status write(const Step& step) {
  KIST_TRY(make_directories(step.target.parent_path()));
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY;
  FileDescriptor file(::open(step.target.c_str(), kFlags, 0600));
  // Another user's file cannot be written, but replaced.
  if (!file && errno == EACCES && ::unlink(step.target.c_str()) == 0)
    file.reset(::open(step.target.c_str(), kFlags, 0600));
  if (!file) return fail_errno(fmt::format("cannot create {} in the task's root", step.target.string()));
  KIST_TRY(write_all(file.get(), step.content, step.target.native()));
  if (::fchmod(file.get(), step.mode) != 0)
    return fail_errno(fmt::format("cannot set the mode of {} in the task's root", step.target.string()));
  if (step.modified) {
    std::array<timespec, 2> times{*step.modified, *step.modified};
    ::futimens(file.get(), times.data());
  }
  return {};
}

Status take_mount(Step& step, std::vector<Region>& regions) {
  const fs::path& target = step.target;
  if (!step.is_file) {
    KIST_TRY(make_directories(target));
  } else if (auto there = status_of(target); !there) {
    KIST_TRY(make_directories(target.parent_path()));
    FileDescriptor made(::open(target.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_NOCTTY, 0644));
    if (!made) return fail_errno(fmt::format("cannot create {} in the task's root", target.string()));
  } else if (S_ISDIR(there->st_mode)) {
    return fail(ErrorKind::invalid,
                fmt::format("cannot mount a file at {}: the task has a directory there", target.string()));
  }
  KIST_TRY(attach(step.mount, target));
  step.mount.reset();
  if (step.guards_settings) KIST_TRY(guard_settings());
  Region region = std::move(step.region);
  region.target = step.canonical ? target : resolved(target);
  regions.push_back(std::move(region));
  return {};
}

}  // namespace

Status take_step(Step& step, std::vector<Region>& regions) {
  switch (step.kind) {
    case Step::Kind::mount:
      return take_mount(step, regions);
    case Step::Kind::directory:
      KIST_TRY(make_directories(step.target));
      if (::chmod(step.target.c_str(), step.mode) != 0)
        return fail_errno(fmt::format("cannot set the mode of {} in the task's root", step.target.string()));
      return {};
    case Step::Kind::link:
      KIST_TRY(make_directories(step.target.parent_path()));
      if (::symlink(step.content.c_str(), step.target.c_str()) != 0 && errno != EEXIST)
        return fail_errno(fmt::format("cannot make the link {} in the task's root", step.target.string()));
      return {};
    case Step::Kind::file:
      return write(step);
    case Step::Kind::cover:
      if (!leads_to_directory(step.target)) return {};
      return attach(step.mount, step.target);
  }
  return {};
}

std::optional<struct stat> status_of(const fs::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return status;
}

bool leads_to_directory(const fs::path& path) {
  auto status = status_of(path);
  return status && S_ISDIR(status->st_mode);
}

}  // namespace kist::sandbox
