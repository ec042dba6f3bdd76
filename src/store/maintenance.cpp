#include "store/maintenance.hpp"

#include <set>

#include <sys/stat.h>

#include "store/check.hpp"
#include "store/collect.hpp"
#include "store/usage.hpp"

namespace kist::store {
namespace {

class DiskMaintenance final : public Maintenance {
 public:
  explicit DiskMaintenance(StoreDirectory directory) : directory_(std::move(directory)) {}

  Status load() {
    KIST_TRY_ASSIGN(index_damage_, damaged_index_files(directory_));
    KIST_TRY_ASSIGN(chunks_, Chunks::open(directory_, lease_));
    publisher_.emplace(directory_, lease_, *chunks_, inodes_);
    views_.emplace(directory_, lease_, *chunks_, inodes_);
    return {};
  }

  Result<Collected> collect(const Roots& roots, const CollectOptions& options) override {
    return store::collect({directory_, lease_, *chunks_, *publisher_, *views_}, roots, options);
  }
  Result<Checked> check(const Roots& roots, const CheckOptions& options) override {
    return store::check({directory_, lease_, *chunks_, *publisher_, *views_}, roots, options, index_damage_);
  }
  Result<std::vector<Cost>> costs(const Groups& groups) override {
    KIST_TRY(chunks_->reload());
    return store::costs(directory_, *chunks_, groups);
  }
  Result<Usage> usage() override {
    const auto& root = directory_.root();
    return Usage{bytes_on_disk(root / "containers"), bytes_on_disk(root / "index"), bytes_on_disk(root / "views"),
                 bytes_on_disk(root / "tmp"), bytes_on_disk(root / "damaged")};
  }

 private:
  StoreDirectory directory_;
  Lease lease_{directory_};
  Inodes inodes_{directory_};
  std::vector<std::string> index_damage_;  // seen when this was opened
  std::unique_ptr<Chunks> chunks_;
  std::optional<Publisher> publisher_;
  std::optional<Views> views_;
};

}  // namespace

Result<std::unique_ptr<Maintenance>> Maintenance::open(const std::filesystem::path& directory) {
  KIST_TRY_ASSIGN(auto opened, StoreDirectory::open(directory));
  auto maintenance = std::make_unique<DiskMaintenance>(std::move(opened));
  KIST_TRY(maintenance->load());
  return maintenance;
}

Result<bool> Maintenance::restore_format(const std::filesystem::path& directory) {
  std::error_code error;
  const bool is_missing =
      !std::filesystem::exists(directory / "format", error) && std::filesystem::exists(directory / "containers", error);
  if (is_missing) KIST_TRY(StoreDirectory::open(directory, true));
  return is_missing;
}

std::uint64_t bytes_on_disk(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::uint64_t bytes = 0;
  std::set<std::pair<dev_t, ino_t>> linked;
  auto add = [&](const fs::path& file) {
    struct stat status{};
    if (::lstat(file.c_str(), &status) != 0) return;
    if (status.st_nlink > 1 && !S_ISDIR(status.st_mode) && !linked.emplace(status.st_dev, status.st_ino).second) return;
    bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
  };
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) return 0;
  add(path);
  auto options = fs::directory_options::skip_permission_denied;
  for (auto at = fs::recursive_directory_iterator(path, options, error); !error && at != fs::end(at);
       at.increment(error))
    add(at->path());
  return bytes;
}

}  // namespace kist::store
