// A path P of the task is scratch/root/P here: the working directory as a copy of the host's, made when the first
// process starts in it; inputs and files that lie below it as copies too. Programs are given the real paths only where
// kist itself put them into their arguments and environment: those below /.kist.
#include "sandbox/scratch_directory.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/process.hpp"
#include "sandbox/host.hpp"
#include "sandbox/init_client.hpp"
#include "sandbox/view.hpp"

namespace kist::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOwn = "/.kist";

// What a task writes there would be the machine's.
bool is_of_the_machine(const fs::path& path, const Layout& layout) {
  if (path == "/") return true;
  constexpr auto kTops = std::to_array(
      {"/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/run", "/sbin", "/sys", "/tmp", "/usr"});
  fs::path deepest;
  for (const char* top : kTops)
    if (is_within(path, top)) deepest = top;
  for (const fs::path& fresh : layout.fresh)
    if (is_within(path, fresh)) deepest = fresh;
  if (deepest.empty()) return false;
  // A project below /tmp is as good as one elsewhere.
  return std::ranges::none_of(layout.visible, [&](const fs::path& visible) { return is_within(path, visible); });
}

Status check_path(const fs::path& path, const Layout& layout, const std::string& why) {
  if (is_within(path, kOwn) || !is_of_the_machine(path, layout)) return {};
  return fail(ErrorKind::unsupported,
              fmt::format("the task uses {}, which would be this machine's own: {}", path.string(), why));
}

fs::path normal(const fs::path& path) {
  fs::path plain = path.lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

Status run_copy(std::vector<std::string> arguments, const fs::path& source) {
  ProcessRequest request;
  request.arguments = std::move(arguments);
  KIST_TRY_ASSIGN(ProcessResult done, run_process(request));
  if (done.exit_code != 0)
    return fail(ErrorKind::io, fmt::format("cannot copy {}: {}", source.string(), last_line(done.error_output)));
  return {};
}

// Copies what is missing in `target`: modes, times, links, no byte where the file system can share it.
Status copy_tree(const fs::path& source, const fs::path& target, const std::vector<fs::path>& left_out) {
  std::error_code error;
  fs::create_directories(target.parent_path(), error);
  if (!fs::is_directory(source))
    return run_copy({"cp", "-a", "-n", "--reflink=auto", "--", source.string(), target.string()}, source);
  fs::create_directories(target, error);
  if (error) return fail_errno(fmt::format("cannot create {}", target.string()), error.value());
  auto lies_inside = [&](const fs::path& path) { return is_within(path, source); };
  if (std::ranges::none_of(left_out, lies_inside))
    return run_copy({"cp", "-a", "-n", "--reflink=auto", "--", (source / ".").string(), target.string()}, source);
  for (const fs::directory_entry& entry : fs::directory_iterator(source, error)) {
    if (std::ranges::find(left_out, entry.path()) != left_out.end()) continue;
    if (entry.is_directory() && !entry.is_symlink()) {
      KIST_TRY(copy_tree(entry.path(), target / entry.path().filename(), left_out));
    } else {
      KIST_TRY(run_copy({"cp", "-a", "-n", "--", entry.path().string(), (target / entry.path().filename()).string()},
                        entry.path()));
    }
  }
  return {};
}

class ScratchRoot : public Sandbox {
 public:
  ScratchRoot(const Layout& layout, FileDescriptor channel, std::string why)
      : layout_(layout), why_(std::move(why)), base_(layout.scratch / "root"), init_(std::move(channel)) {
    for (const fs::path& path : layout.hidden) left_out_.push_back(resolved(path));
    for (const fs::path& path : layout.fresh) left_out_.push_back(resolved(normal(path)));
  }
  ~ScratchRoot() override { (void)ScratchRoot::close(); }

  Status open() {
    KIST_TRY(init_.greet());
    std::error_code error;
    fs::create_directories(base_ / fs::path(kOwn).relative_path(), error);
    if (error) return fail_errno(fmt::format("cannot create {}", base_.string()), error.value());
    for (const Mount& mount : layout_.mounts) KIST_TRY(place(mount));
    for (const File& file : layout_.files) KIST_TRY(place(file));
    return {};
  }

  Result<ProcessId> start(const Command& command) override {
    Command real = command;
    fs::path directory = normal(command.working_directory);
    if (directory != "/") {
      KIST_TRY(check_path(directory, layout_, why_));
      KIST_TRY(bring(directory));
    }
    real.working_directory = place_of(directory);
    for (std::string& argument : real.arguments) argument = translated(argument);
    for (std::string& variable : real.environment) {
      std::size_t equals = variable.find('=');
      if (equals == std::string::npos) continue;
      std::string value;
      std::string_view rest = std::string_view(variable).substr(equals + 1);
      while (true) {  // each path of a list of them
        std::size_t colon = rest.find(':');
        value += translated(rest.substr(0, colon));
        if (colon == std::string_view::npos) break;
        value += ':';
        rest.remove_prefix(colon + 1);
      }
      variable = variable.substr(0, equals + 1) + value;
    }
    return init_.start(real);
  }

  Result<std::optional<Ended>> wait(ProcessId process, std::optional<std::chrono::nanoseconds> timeout) override {
    return init_.wait(process, timeout);
  }
  Status signal(ProcessId process, int number) override { return init_.signal(process, number); }
  Status signal_all(int number) override { return init_.signal_all(number); }
  Status quiesce() override { return init_.quiesce(); }
  Result<bool> renew() override { return false; }
  Status close() override { return init_.close(); }

  Result<Found> find(const fs::path& inside) override {
    fs::path path = normal(inside);
    KIST_TRY(check(path));
    fs::path place = place_of(path);
    KIST_TRY_ASSIGN(FileDescriptor handle, open_file(place, O_PATH));
    fs::path real = resolved(place);
    bool is_own = is_within(real, resolved(base_));
    return Found{std::move(handle), is_own ? real : fs::path()};
  }

  Result<FileDescriptor> open_inside(const fs::path& inside, int flags, unsigned mode) override {
    fs::path path = normal(inside);
    KIST_TRY(check(path));
    if ((flags & O_CREAT) != 0 && fs::is_directory(path.parent_path())) KIST_TRY(make_directories(path.parent_path()));
    return open_file(place_of(path), flags, mode);
  }

  Status make_directories(const fs::path& inside) override {
    fs::path path = normal(inside);
    KIST_TRY(check(path));
    std::error_code error;
    fs::create_directories(place_of(path), error);
    if (error) return fail_errno(fmt::format("cannot create {} for the task", path.string()), error.value());
    return {};
  }

 private:
  // What was brought here is nobody else's, whatever the layout says of its place on the machine.
  Status check(const fs::path& path) {
    std::scoped_lock lock(mutex_);
    const auto holds = [&](const fs::path& brought) { return is_within(path, brought); };
    if (path == "/" || std::ranges::any_of(brought_, holds)) return {};
    return check_path(path, layout_, why_);
  }

  fs::path place_of(const fs::path& inside) const { return base_ / inside.relative_path(); }

  std::string translated(std::string_view text) const {
    if (text == kControlSocket) return layout_.control_socket.string();
    if (!is_within(text, kOwn)) return std::string(text);
    return place_of(text).string();
  }

  // The host's directory as a copy, once.
  Status bring(const fs::path& directory) {
    std::scoped_lock lock(mutex_);
    auto holds = [&](const fs::path& brought) { return is_within(directory, brought); };
    if (std::ranges::any_of(brought_, holds) || !fs::is_directory(directory)) return {};
    const char* home = std::getenv("HOME");
    if (home != nullptr && is_within(normal(home), directory))
      return fail(ErrorKind::unsupported,
                  fmt::format("the task works in {}, which is too much to copy: {}", directory.string(), why_));
    KIST_TRY(copy_tree(directory, place_of(directory), left_out_));
    for (const fs::path& path : layout_.fresh) {
      const fs::path fresh = normal(path);
      std::error_code error;
      if (fresh != directory && is_within(fresh, directory)) fs::create_directories(place_of(fresh), error);
      if (error) return fail_errno(fmt::format("cannot create {} for the task", fresh.string()), error.value());
    }
    brought_.insert(directory);
    return {};
  }

  Status place(const Mount& mount) {
    fs::path target = place_of(normal(mount.target));
    if (mount.kind != Mount::Kind::shared) return copy_tree(mount.source, target, left_out_);
    std::error_code error;
    fs::create_directories(target.parent_path(), error);
    if (::symlink(mount.source.c_str(), target.c_str()) != 0)
      return fail_errno(fmt::format("cannot create {}", target.string()));
    return {};
  }

  Status place(const File& file) {
    fs::path target = place_of(normal(file.path));
    std::error_code error;
    fs::create_directories(target.parent_path(), error);
    KIST_TRY_ASSIGN(FileDescriptor made, open_file(target, O_WRONLY | O_CREAT | O_TRUNC, file.mode));
    KIST_TRY(write_all(made.get(), file.content, target.native()));
    if (::fchmod(made.get(), file.mode) != 0)
      return fail_errno(fmt::format("cannot set the mode of {}", target.string()));
    return {};
  }

  Layout layout_;
  std::string why_;
  fs::path base_;
  std::vector<fs::path> left_out_;  // hidden or fresh: not copied
  InitClient init_;
  std::mutex mutex_;  // of what is brought
  std::set<fs::path> brought_;
};

}  // namespace

Status check_scratch_layout(const Layout& layout, const std::string& why) {
  if (layout.as_root && ::geteuid() != 0)
    return fail(ErrorKind::unsupported, fmt::format("the task is to run as root: {}", why));
  for (const Mount& mount : layout.mounts) {
    KIST_TRY(check_path(normal(mount.target), layout, why));
    if (mount.kind == Mount::Kind::memory)
      return fail(ErrorKind::unsupported,
                  fmt::format("the task wants files at {} that are on no disk: {}", mount.target.string(), why));
  }
  for (const File& file : layout.files) KIST_TRY(check_path(normal(file.path), layout, why));
  return {};
}

Result<std::unique_ptr<Sandbox>> open_scratch_directory(const Layout& layout, FileDescriptor channel, std::string why) {
  auto root = std::make_unique<ScratchRoot>(layout, std::move(channel), std::move(why));
  KIST_TRY(root->open());
  return std::unique_ptr<Sandbox>(std::move(root));
}

}  // namespace kist::sandbox
