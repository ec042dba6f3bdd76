// Kills at random moments. Each round: four savers and a collector work on one store, each in a process of its own, and
// are killed without warning; then all that a saver had been told is durable must be there and right, and a check must
// find no damage. The store is the same from the first round to the last.
//
//   torture_store [--rounds N] [--seed N] [DIRECTORY]
//
// A saver writes down what it was promised only after it was: in a file of its own, one line for each reference.
#include "store/store.hpp"

#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "store/maintenance.hpp"

namespace kist::store {
namespace {

namespace fs = std::filesystem;

constexpr int kSavers = 4;
constexpr int kKept = 3;  // references of each saver: older ones are replaced, so that there is something to collect

// Deterministic content, of which some repeats between savers and rounds.
std::string content(unsigned seed, std::size_t size) {
  std::mt19937 random(seed);
  std::string text;
  text.reserve(size + 4);
  while (text.size() < size) {
    std::uint32_t number = random();
    text.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  text.resize(size);
  return text;
}

// The files of a tree, by its seed alone.
std::map<std::string, std::string> files_of(unsigned seed) {
  std::mt19937 random(seed);
  std::map<std::string, std::string> files;
  for (int i = 0; i < 6; ++i)
    files[fmt::format("shared-{}", i)] = content(random() % 20, 20'000 + 1000 * (random() % 20));
  files["own"] = content(seed, 300'000 + random() % 300'000);
  if (seed % 5 == 0) files["large"] = content(seed + 1, (4 << 20) + 100'000);
  return files;
}

// A reference's target is an object that tells the artifact and its seed, as a run's record tells its artifacts.
std::string record_of(const ArtifactId& id, unsigned seed) {
  return fmt::format("{} {} {}", id.tree.to_string(), id.times.to_string(), seed);
}
struct Record {
  ArtifactId id;
  unsigned seed = 0;
};
Result<Record> read_record(Store& store, const Digest& digest) {
  KIST_TRY_ASSIGN(std::string text, store.object(digest));
  std::istringstream words(text);
  std::string tree;
  std::string times;
  Record record;
  words >> tree >> times >> record.seed;
  KIST_TRY_ASSIGN(record.id.tree, Digest::parse(tree));
  KIST_TRY_ASSIGN(record.id.times, Digest::parse(times));
  return record;
}

Status take_roots(Store& store, const TakeRoot& take) {
  KIST_TRY_ASSIGN(auto references, store.references(""));
  for (const auto& [name, target] : references) {
    auto record = read_record(store, target);
    if (!record) return with_context(name, record.error());
    KIST_TRY(take({name, target}));
    KIST_TRY(take({name, record->id}));
  }
  return {};
}

Status save_for_ever(const fs::path& directory, int saver, unsigned seed) {
  KIST_TRY_ASSIGN(auto store, Store::open(directory / "store"));
  fs::path work = directory / fmt::format("work-{}", saver);
  std::ofstream promised(directory / fmt::format("promised-{}", saver), std::ios::app);
  for (unsigned turn = 0;; ++turn) {
    unsigned of = seed * 1000 + turn;
    fs::remove_all(work);
    fs::create_directories(work);
    for (const auto& [name, text] : files_of(of)) std::ofstream(work / name, std::ios::binary) << text;
    std::string name = fmt::format("runs/saver-{}-{}", saver, turn % kKept);
    auto transaction = store->begin();
    if (!transaction) return std::unexpected(transaction.error());
    KIST_TRY_ASSIGN(auto saved, (*transaction)->save(work, {.adopt = of % 2 == 0}));
    KIST_TRY_ASSIGN(auto record, (*transaction)->put_object(record_of(saved.id, of)));
    KIST_TRY((*transaction)->commit());
    auto before = store->reference(name);
    KIST_TRY(store->set_reference(name, record, before ? std::optional(*before) : std::nullopt));
    // The write of a line is what survives a kill; that the disk survives is another test's business.
    promised << name << ' ' << of << std::endl;
  }
}

Status collect_for_ever(const fs::path& directory) {
  KIST_TRY_ASSIGN(auto store, Store::open(directory / "store"));
  KIST_TRY_ASSIGN(auto maintenance, Maintenance::open(directory / "store"));
  while (true)
    KIST_TRY(maintenance->collect([&](const TakeRoot& take) { return take_roots(*store, take); },
                                  {.views_budget = 1 << 20}));
}

Status check_all(const fs::path& directory) {
  KIST_TRY_ASSIGN(auto store, Store::open(directory / "store"));
  // The newest promise of each reference; a later save that was not promised yet may stand there too.
  for (int saver = 0; saver < kSavers; ++saver) {
    std::map<std::string, unsigned> promises;
    std::ifstream lines(directory / fmt::format("promised-{}", saver));
    std::string name;
    unsigned of = 0;
    while (lines >> name >> of) promises[name] = of;
    for (const auto& [reference, seed] : promises) {
      auto target = store->reference(reference);
      if (!target) return with_context(fmt::format("{} was promised", reference), target.error());
      KIST_TRY_ASSIGN(auto record, read_record(*store, *target));
      if (record.seed != seed && !(record.seed / 1000 > seed / 1000 || record.seed > seed))
        return fail(ErrorKind::corrupt, fmt::format("{} went back from {} to {}", reference, seed, record.seed));
      for (const auto& [file, expected] : files_of(record.seed)) {
        std::string text;
        auto read = store->read(record.id, file, [&](std::span<const std::byte> bytes) -> Status {
          text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
          return {};
        });
        if (!read) return with_context(fmt::format("{}, {}", reference, file), read.error());
        if (text != expected) return fail(ErrorKind::corrupt, fmt::format("{}, {}: other bytes", reference, file));
      }
    }
  }
  KIST_TRY_ASSIGN(auto maintenance, Maintenance::open(directory / "store"));
  KIST_TRY_ASSIGN(auto checked, maintenance->check([&](const TakeRoot& take) { return take_roots(*store, take); }, {}));
  for (const Finding& finding : checked.findings)
    return fail(ErrorKind::corrupt, fmt::format("{}: {}", finding.place, finding.text));
  return {};
}

int run(const fs::path& directory, int rounds, unsigned seed) {
  std::mt19937 random(seed);
  std::size_t promises = 0;
  for (int round = 0; round < rounds; ++round) {
    std::vector<pid_t> children;
    for (int child = 0; child <= kSavers; ++child) {
      pid_t pid = ::fork();
      if (pid < 0) return 3;
      if (pid == 0) {
        auto ended = child < kSavers ? save_for_ever(directory, child, static_cast<unsigned>(round + 1))
                                     : collect_for_ever(directory);
        if (!ended) fmt::print(stderr, "{}: {}\n", child < kSavers ? "a saver" : "the collector", ended.error().text);
        ::_exit(1);
      }
      children.push_back(pid);
    }
    bool failed = false;
    // One after the other, so that the others go on with what the dead one left.
    std::shuffle(children.begin(), children.end(), random);
    std::this_thread::sleep_for(std::chrono::milliseconds(100 + random() % 500));
    for (pid_t child : children) {
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 150));
      ::kill(child, SIGKILL);
      int status = 0;
      ::waitpid(child, &status, 0);
      failed = failed || !WIFSIGNALED(status);
    }
    auto checked = check_all(directory);
    if (!checked || failed) {
      fmt::print(stderr, "round {} of {} (--seed {}): {}\nThe store is in {}\n", round + 1, rounds, seed,
                 checked ? "a process ended by itself" : checked.error().text, directory.string());
      return 1;
    }
  }
  for (int saver = 0; saver < kSavers; ++saver) {
    std::ifstream lines(directory / fmt::format("promised-{}", saver));
    std::string line;
    while (std::getline(lines, line)) ++promises;
  }
  fmt::print("{} rounds, {} saves promised and kept\n", rounds, promises);
  return promises > 0 ? 0 : 1;
}

}  // namespace
}  // namespace kist::store

int main(int count, char** words) {
  int rounds = 25;
  unsigned seed = std::random_device()();
  std::filesystem::path where = std::filesystem::current_path();
  for (int i = 1; i < count; ++i) {
    std::string word = words[i];
    if (word == "--rounds" && i + 1 < count)
      rounds = std::atoi(words[++i]);
    else if (word == "--seed" && i + 1 < count)
      seed = static_cast<unsigned>(std::strtoul(words[++i], nullptr, 10));
    else
      where = word;
  }
  auto scratch = kist::ScratchDirectory::make(where, "torture-");
  if (!scratch) {
    fmt::print(stderr, "{}\n", scratch.error().text);
    return 3;
  }
  int code = kist::store::run(scratch->path(), rounds, seed);
  if (code != 0) scratch->keep();
  return code;
}
