// A store for the engine's tests: trees are directories, objects and references are maps in memory and files on disk,
// so that a process that goes on after another one finds them.
#pragma once

#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "base/file.hpp"
#include "store/store.hpp"

namespace kist::engine::testing {

namespace fs = std::filesystem;

class SmallStore : public store::Store {
 public:
  explicit SmallStore(fs::path directory) : directory_(std::move(directory)) {
    for (const char* part : {"trees", "objects", "references"}) fs::create_directories(directory_ / part);
  }

  std::atomic<bool> full = false;
  std::optional<Digest> lost;  // a tree that is not there
  std::atomic<int> combined = 0;

  Result<std::unique_ptr<store::Transaction>> begin() override { return std::make_unique<SmallTransaction>(*this); }

  Result<std::unique_ptr<store::Hold>> hold() override { return std::make_unique<store::Hold>(); }

  Result<std::string> object(const Digest& name) override { return read_file(directory_ / "objects" / name.hex()); }
  Result<std::unique_ptr<store::View>> view(const store::ArtifactId& id) override {
    return std::make_unique<SmallView>(directory_ / "trees" / id.tree.hex());
  }

  Status set_reference(std::string_view name, const Digest& target, const std::optional<Digest>& expected) override {
    auto now = reference(name);
    if ((now ? std::optional(*now) : std::nullopt) != expected) return fail(ErrorKind::conflict, "reference moved");
    return replace_file(reference_file(name), target.hex());
  }
  Result<Digest> reference(std::string_view name) override {
    KIST_TRY_ASSIGN(std::string text, read_file(reference_file(name)));
    return Digest::parse(text);
  }
  Status remove_reference(std::string_view name) override {
    if (!fs::remove(reference_file(name))) return fail(ErrorKind::not_found, "no such reference");
    return {};
  }

  Status list(const store::ArtifactId&, const store::ListOptions&,
              const std::function<bool(const store::Entry&)>&) override {
    return unused();
  }
  store::ChunkSource& chunks() override { throw std::logic_error("not used by these tests"); }
  Result<store::Entry> find(const store::ArtifactId& id, std::string_view) override {
    if (lost == id.tree) return fail(ErrorKind::not_found, "no such artifact");
    return store::Entry{};
  }
  Status read(const store::ArtifactId&, std::string_view, const Sink&, std::uint64_t, std::uint64_t) override {
    return unused();
  }
  Status restore(const store::ArtifactId& id, std::string_view, const fs::path& target,
                 const store::RestoreOptions&) override {
    fs::copy(directory_ / "trees" / id.tree.hex(), target, fs::copy_options::recursive);
    return {};
  }
  Status survey(const std::optional<store::ArtifactId>&, const fs::path&,
                const std::function<bool(const store::Surveyed&)>&) override {
    return unused();
  }
  Result<std::vector<std::pair<std::string, Digest>>> references(std::string_view) override { return unused(); }

 private:
  static std::unexpected<Error> unused() { return fail(ErrorKind::unsupported, "not part of the small store"); }

  fs::path reference_file(std::string_view name) const {
    std::string file(name);
    std::ranges::replace(file, '/', '=');
    return directory_ / "references" / file;
  }

  class SmallView : public store::View {
   public:
    explicit SmallView(fs::path path) : path_(std::move(path)) {}
    const fs::path& path() const override { return path_; }

   private:
    fs::path path_;
  };

  class SmallTransaction : public store::Transaction {
   public:
    explicit SmallTransaction(SmallStore& store) : store_(store) {}
    Result<store::Saved> save(const fs::path& source, const store::SaveOptions&) override {
      static std::atomic<int> count = 0;
      store::Saved saved;
      saved.id.tree = sha256(source.string() + std::to_string(++count));
      fs::copy(source, store_.directory_ / "trees" / saved.id.tree.hex(), fs::copy_options::recursive);
      for (const auto& entry : fs::directory_iterator(source)) saved.files += entry.is_regular_file() ? 1 : 0;
      return saved;
    }
    Result<Digest> put_object(std::string_view bytes) override {
      Digest name = sha256(bytes);
      KIST_TRY(replace_file(store_.directory_ / "objects" / name.hex(), bytes));
      return name;
    }
    Status commit() override {
      if (store_.full) return fail(ErrorKind::no_space, "no space left for the store");
      return {};
    }
    Result<store::Saved> save_text(std::string_view, std::uint32_t, Time) override { return unused(); }
    Result<store::Saved> combine(std::span<const Part> parts) override {
      ++store_.combined;
      std::string all;
      for (const Part& part : parts) all += part.prefix + "=" + part.id.tree.hex() + "\n";
      store::Saved saved;
      saved.id.tree = sha256(all);
      return saved;
    }
    Result<store::Updated> update(const std::optional<store::ArtifactId>&, const fs::path&,
                                  std::span<const store::Change>) override {
      return unused();
    }

   private:
    SmallStore& store_;
  };

  const fs::path directory_;
};

}  // namespace kist::engine::testing
