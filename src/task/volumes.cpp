#include "task/volumes.hpp"

#include <algorithm>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/system.hpp"
#include "task/inside.hpp"
#include "task/paths.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

constexpr unsigned kDirectoryMode = 0777;  // whoever a task's processes are: KIST_HOME itself lets nobody in
constexpr unsigned kVolumeFileMode = 0644;
constexpr unsigned kSecretMode = 0400;

// A name that is to be one directory.
Status check_name(std::string_view name, std::string_view what) {
  if (!name.empty() && name != "." && name != ".." && !name.contains('/') && !name.contains('\0')) return {};
  return fail(ErrorKind::invalid, fmt::format("'{}' is no name for {}", name, what));
}

Status make_volume(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (::mkdir(path.c_str(), 0700) != 0) {
    if (errno == EEXIST) return {};
    return fail_errno(fmt::format("cannot make {}", path.string()));
  }
  if (::chmod(path.c_str(), kDirectoryMode) != 0)
    return fail_errno(fmt::format("cannot set the mode of {}", path.string()));
  return {};
}

Result<fs::path> relative_path(const std::string& written, std::string_view volume) {
  fs::path path = fs::path(written).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  bool leads_out = path.is_absolute() || (!path.empty() && *path.begin() == "..");
  if (leads_out) return fail(ErrorKind::invalid, fmt::format("'{}' is no path in the volume '{}'", written, volume));
  return path == "." ? fs::path() : path;
}

// What lies at a path below a directory, made as a directory where nothing does. A task may have put links there: none
// is followed.
Status require(const fs::path& directory, const fs::path& path, std::string_view volume) {
  KIST_TRY_ASSIGN(auto top, open_file(directory, O_RDONLY | O_DIRECTORY));
  fs::path made;
  for (const fs::path& part : path) {
    made /= part;
    if (::mkdirat(top.get(), made.c_str(), kDirectoryMode) == 0) {
      if (::fchmodat(top.get(), made.c_str(), kDirectoryMode, 0) != 0)
        return fail_errno(fmt::format("cannot set the mode of {}", (directory / made).string()));
    } else if (errno != EEXIST) {
      return fail_errno(fmt::format("cannot make {}", (directory / made).string()));
    }
    if (auto there = open_beneath(top, made, false); !there)
      return with_context(fmt::format("sub path '{}' of the volume '{}'", path.string(), volume), there.error());
  }
  return {};
}

// What a path of this machine is to be, in words; as the type of a file.
struct HostKind {
  std::string_view words;
  mode_t type;
  bool is_made;
};

std::optional<HostKind> host_kind_of(model::Volume::Host host) {
  using Host = model::Volume::Host;
  switch (host) {
    case Host::anything:
      break;
    case Host::directory:
      return HostKind{"a directory", S_IFDIR, false};
    case Host::directory_or_new:
      return HostKind{"a directory", S_IFDIR, true};
    case Host::file:
      return HostKind{"a file", S_IFREG, false};
    case Host::file_or_new:
      return HostKind{"a file", S_IFREG, true};
    case Host::socket:
      return HostKind{"a socket", S_IFSOCK, false};
    case Host::character_device:
      return HostKind{"a character device", S_IFCHR, false};
    case Host::block_device:
      return HostKind{"a block device", S_IFBLK, false};
  }
  return std::nullopt;
}

Status make_on_host(const fs::path& path, mode_t type) {
  if (type == S_IFDIR) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) return fail_errno(fmt::format("cannot make the directory {}", path.string()), error.value());
    return {};
  }
  // Somebody else may make it at the same time. The directory it is to lie in has to be there.
  const FileDescriptor made(os::openat(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kVolumeFileMode));
  return made ? Status() : fail_errno(fmt::format("cannot make the file {}", path.string()));
}

Status require_on_host(const fs::path& path, model::Volume::Host host) {
  const auto wanted = host_kind_of(host);
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT || !wanted) return fail_errno(fmt::format("cannot mount {} of this machine", path.string()));
    if (wanted->is_made) return make_on_host(path, wanted->type);
    return fail(ErrorKind::not_found,
                fmt::format("{} of this machine is to be {}, and there is nothing", path.string(), wanted->words));
  }
  if (!wanted || (status.st_mode & S_IFMT) == wanted->type) return {};
  return fail(ErrorKind::invalid, fmt::format("{} of this machine is not {}", path.string(), wanted->words));
}

}  // namespace

fs::path run_volumes(const fs::path& home, std::string_view run) {
  return home / "volumes" / run;
}

fs::path claimed_volumes(const fs::path& home) {
  return home / "claims";
}

Result<std::vector<sandbox::Mount>> Volumes::mounts_of(const ContainerHere& container) {
  std::vector<sandbox::Mount> mounts;
  for (const model::VolumeMount& wanted : container.container->mounts) {
    auto volume = std::ranges::find(document_.task.volumes, wanted.volume.source(), &model::Volume::name);
    if (volume == document_.task.volumes.end())
      return fail(ErrorKind::not_found,
                  fmt::format("container '{}' mounts the volume '{}', and there is none of that name",
                              container.container->name, wanted.volume.source()));
    auto made = mount(wanted, *volume);
    if (!made) return with_context(fmt::format("volume '{}'", volume->name), made.error());
    made->target = absolute_path(wanted.path.source(), container.working_directory, "/");
    mounts.push_back(std::move(*made));
  }
  std::ranges::stable_sort(mounts, {}, [](const sandbox::Mount& mount) { return mount.target.native().size(); });
  return mounts;
}

Result<sandbox::Mount> Volumes::mount(const model::VolumeMount& wanted, const model::Volume& volume) {
  using Kind = model::Volume::Kind;
  sandbox::Mount mount;
  fs::path below;
  if (wanted.sub_path) {
    KIST_TRY_ASSIGN(below, relative_path(wanted.sub_path->source(), volume.name));
  }
  if (volume.kind == Kind::files) {
    KIST_TRY_ASSIGN(auto files, files_of(volume));
    mount.kind = sandbox::Mount::Kind::memory;
    mount.files = std::move(files);
    mount.below = below;
    return mount;
  }
  KIST_TRY_ASSIGN(mount.source, directory_of(volume));
  if (!below.empty()) {
    std::error_code error;
    if (volume.kind != Kind::host || fs::is_directory(mount.source, error))
      KIST_TRY(require(mount.source, below, volume.name));
    mount.source /= below;
  }
  mount.kind = wanted.read_only ? sandbox::Mount::Kind::read_only : sandbox::Mount::Kind::shared;
  return mount;
}

Result<fs::path> Volumes::directory_of(const model::Volume& volume) {
  using Kind = model::Volume::Kind;
  fs::path directory;
  if (volume.kind == Kind::host) {
    directory = absolute_path(volume.path.source(), "/", "/");
    KIST_TRY(require_on_host(directory, volume.host));
    return directory;
  }
  if (volume.kind == Kind::claim) {
    std::string claim = volume.claim.source();
    KIST_TRY(check_name(claim, "a claim"));
    directory = claimed_volumes(tools_.home) / claim;
  } else {
    KIST_TRY(check_name(volume.name, "a volume"));
    KIST_TRY_ASSIGN(fs::path own, directory_.path());
    directory = (volume.kind == Kind::run ? run_volumes(tools_.home, document_.run) : own / "volumes") / volume.name;
  }
  KIST_TRY(make_volume(directory));
  return directory;
}

Result<std::vector<sandbox::File>> Volumes::files_of(const model::Volume& volume) {
  std::vector<sandbox::File> files;
  auto add = [&](const std::string& path, std::string content, unsigned mode) -> Status {
    KIST_TRY_ASSIGN(fs::path relative, relative_path(path, volume.name));
    std::erase_if(files, [&](const sandbox::File& file) { return file.path == relative; });
    files.push_back({.path = std::move(relative), .content = std::move(content), .mode = mode});
    return {};
  };
  for (const auto& file : volume.files) {
    const unsigned mode =
        file.mode.value_or(volume.mode.value_or(file.secret.has_value() ? kSecretMode : kVolumeFileMode));
    if (!file.secret) {
      KIST_TRY(add(file.path, file.text.source(), mode));
    } else if (file.path.empty()) {
      KIST_TRY_ASSIGN(auto values, secrets_.values(file.secret->name.source(), file.secret->optional));
      if (!values) continue;
      for (const auto& [key, value] : *values) KIST_TRY(add(key, value, mode));
    } else {
      KIST_TRY_ASSIGN(auto value, secrets_.value(*file.secret));
      if (value) KIST_TRY(add(file.path, std::move(*value), mode));
    }
  }
  return files;
}

}  // namespace kist::task
