// Kills at random moments. Each round: four savers, a collector and one who pulls from another store work on one store,
// each in a process of its own, and are killed without warning; then all that a saver or the puller had been told is
// durable must be there and right, and a check must find no damage. The store is the same from the first round to the
// last.
//
//   torture_store [--rounds N] [--seed N] [DIRECTORY]
//
// Who saves writes down what it was promised only after it was: in a file of its own, one line for each reference. Who
// fails writes why into a file of its own too. Where something is wrong, the whole directory stays.
#include "store/store.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "model/record.hpp"
#include "net/directory_objects.hpp"
#include "store/maintenance.hpp"
#include "store/remote.hpp"

namespace kist::store {
namespace {

namespace fs = std::filesystem;

constexpr int kSavers = 4;
constexpr int kPuller = kSavers;  // the next worker, and after it the collector
constexpr int kCollector = kSavers + 1;
constexpr int kWorkers = kSavers + 2;
constexpr int kKept = 3;  // references of each: older ones are replaced, so that there is something to collect
constexpr unsigned kOnRemote = 12;

std::string name_of(int worker) {
  if (worker == kCollector) return "collector";
  return worker == kPuller ? "puller" : fmt::format("saver-{}", worker);
}

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

// A reference's target is a run record, which tells the artifact and, as the run's name, its seed.
std::string record_of(const ArtifactId& id, unsigned seed) {
  model::RunRecord run;
  run.name = std::to_string(seed);
  model::NodeRecord node;
  node.names.name = "n";
  model::ArtifactRecord artifact;
  artifact.name = "out";
  artifact.tree = id.tree;
  artifact.times = id.times;
  node.output_artifacts.push_back(artifact);
  run.nodes.push_back(node);
  return to_text(to_json(run));
}
struct Record {
  ArtifactId id;
  unsigned seed = 0;
};
Result<Record> read_record(Store& store, const Digest& digest) {
  KIST_TRY_ASSIGN(auto run, read_run_record(store.chunks(), digest));
  return Record{artifacts_of(run).front(), static_cast<unsigned>(std::stoul(run.name))};
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

void make_files(const fs::path& directory, unsigned seed) {
  fs::remove_all(directory);
  fs::create_directories(directory);
  for (const auto& [name, text] : files_of(seed)) std::ofstream(directory / name, std::ios::binary) << text;
}

Result<Digest> save(Transaction& transaction, const fs::path& work, unsigned seed) {
  KIST_TRY_ASSIGN(auto saved, transaction.save(work, {.adopt = seed % 2 == 0}));
  KIST_TRY_ASSIGN(auto record, transaction.put_object(record_of(saved.id, seed)));
  KIST_TRY(transaction.commit());
  return record;
}

Status set(Store& store, const std::string& name, const Digest& record) {
  auto before = store.reference(name);
  return store.set_reference(name, record, before ? std::optional(*before) : std::nullopt);
}

// The runs on the remote. What they hold is in part what savers save too.
Status fill_remote(const fs::path& directory) {
  KIST_TRY_ASSIGN(auto objects, net::open_directory_objects(directory / "remote", true));
  KIST_TRY(RemoteStore::create(*objects));
  KIST_TRY_ASSIGN(auto store, Store::open(directory / "second"));
  KIST_TRY_ASSIGN(auto remote, RemoteStore::open(directory / "second", std::move(objects)));
  for (unsigned seed = 0; seed < kOnRemote; ++seed) {
    KIST_TRY_ASSIGN(auto transaction, store->begin());
    make_files(directory / "work", seed);
    KIST_TRY_ASSIGN(auto record, save(*transaction, directory / "work", seed));
    Transfer transfer;
    KIST_TRY(remote->push(std::span(&record, 1), transfer));
    KIST_TRY(remote->set_reference(fmt::format("runs/{}", seed), record, std::nullopt));
  }
  return {};
}

Status save_for_ever(const fs::path& directory, int saver, unsigned seed) {
  KIST_TRY_ASSIGN(auto store, Store::open(directory / "store"));
  fs::path work = directory / fmt::format("work-{}", saver);
  std::ofstream promised(directory / ("promised-" + name_of(saver)), std::ios::app);
  for (unsigned turn = 0;; ++turn) {
    unsigned of = seed * 1000 + turn;
    make_files(work, of);
    std::string name = fmt::format("runs/{}-{}", name_of(saver), turn % kKept);
    KIST_TRY_ASSIGN(auto transaction, store->begin());
    KIST_TRY_ASSIGN(auto record, save(*transaction, work, of));
    KIST_TRY(set(*store, name, record));
    // The write of a line is what survives a kill; that the disk survives is another test's business.
    promised << name << ' ' << of << std::endl;
  }
}

Status pull_for_ever(const fs::path& directory) {
  KIST_TRY_ASSIGN(auto store, Store::open(directory / "store"));
  std::ofstream promised(directory / ("promised-" + name_of(kPuller)), std::ios::app);
  for (unsigned turn = 0;; ++turn) {
    unsigned of = turn % kOnRemote;
    std::string name = fmt::format("runs/{}-{}", name_of(kPuller), turn % kKept);
    KIST_TRY_ASSIGN(auto objects, net::open_directory_objects(directory / "remote", false));
    KIST_TRY_ASSIGN(auto remote, RemoteStore::open(directory / "store", std::move(objects)));
    KIST_TRY_ASSIGN(auto there, remote->reference(fmt::format("runs/{}", of)));
    Transfer transfer;
    KIST_TRY(remote->pull(there.target, transfer));
    KIST_TRY(set(*store, name, there.target));
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

Status work_for_ever(const fs::path& directory, int worker, int round) {
  if (worker == kCollector) return collect_for_ever(directory);
  if (worker == kPuller) return pull_for_ever(directory);
  return save_for_ever(directory, worker, static_cast<unsigned>(round + 1));
}

// Whether a reference may stand at `found` when `promised` is its newest promise: it is that, or it was moved on before
// it could be promised. The puller goes round, and begins anew with each round.
bool may_follow(int worker, unsigned promised, unsigned found) {
  if (found == promised) return true;
  return worker == kPuller ? found == (promised + kKept) % kOnRemote || found < kKept : found > promised;
}

std::map<std::string, unsigned> promises_of(const fs::path& directory, int worker) {
  std::map<std::string, unsigned> promises;
  std::ifstream lines(directory / ("promised-" + name_of(worker)));
  std::string name;
  unsigned of = 0;
  while (lines >> name >> of) promises[name] = of;
  return promises;
}

Status check_promise(Store& store, int worker, const std::string& reference, unsigned promised) {
  KIST_TRY_ASSIGN(auto target, store.reference(reference));
  KIST_TRY_ASSIGN(auto record, read_record(store, target));
  if (!may_follow(worker, promised, record.seed))
    return fail(ErrorKind::corrupt, fmt::format("it stands at {}", record.seed));
  for (const auto& [file, expected] : files_of(record.seed)) {
    std::string text;
    auto read = store.read(record.id, file, [&](std::span<const std::byte> bytes) -> Status {
      text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return {};
    });
    if (!read) return with_context(file, read.error());
    if (text != expected) return fail(ErrorKind::corrupt, fmt::format("{}: other bytes", file));
  }
  return {};
}

Status check_all(const fs::path& directory) {
  KIST_TRY_ASSIGN(auto store, Store::open(directory / "store"));
  for (int worker = 0; worker < kCollector; ++worker)
    for (const auto& [reference, seed] : promises_of(directory, worker))
      if (auto checked = check_promise(*store, worker, reference, seed); !checked)
        return with_context(fmt::format("{}, promised with {}", reference, seed), checked.error());
  KIST_TRY_ASSIGN(auto maintenance, Maintenance::open(directory / "store"));
  KIST_TRY_ASSIGN(auto checked, maintenance->check([&](const TakeRoot& take) { return take_roots(*store, take); }, {}));
  for (const Finding& finding : checked.findings)
    return fail(ErrorKind::corrupt, fmt::format("the check found {}: {}", finding.place, finding.text));
  return {};
}

pid_t start(const fs::path& directory, int worker, int round) {
  pid_t pid = ::fork();
  if (pid != 0) return pid;
  auto ended = work_for_ever(directory, worker, round);
  if (!ended) std::ofstream(directory / ("failed-" + name_of(worker))) << ended.error().text << std::endl;
  ::_exit(1);
}

// Nobody ends before they are killed.
Status killed(const fs::path& directory, int worker, pid_t pid) {
  ::kill(pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return {};
  std::ifstream file(directory / ("failed-" + name_of(worker)));
  std::string why;
  std::getline(file, why);
  return fail(ErrorKind::corrupt, fmt::format("the {} ended by itself, {} {}: {}", name_of(worker),
                                              WIFSIGNALED(status) ? "signal" : "status",
                                              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), why));
}

Status run_round(const fs::path& directory, int round, std::mt19937& random) {
  std::vector<std::pair<int, pid_t>> workers;
  for (int worker = 0; worker < kWorkers; ++worker) {
    pid_t pid = start(directory, worker, round);
    if (pid < 0) return fail_errno("cannot fork");
    workers.emplace_back(worker, pid);
  }
  // One after the other, so that the others go on with what the dead one left.
  std::shuffle(workers.begin(), workers.end(), random);
  std::this_thread::sleep_for(std::chrono::milliseconds(100 + random() % 500));
  Status result;
  for (auto [worker, pid] : workers) {
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 150));
    if (auto ended = killed(directory, worker, pid); !ended && result) result = ended;
  }
  KIST_TRY(result);
  return check_all(directory);
}

int run(const fs::path& directory, int rounds, unsigned seed) {
  std::mt19937 random(seed);
  auto failed = [&](std::string_view when, const Error& why) {
    fmt::print(stderr, "{} (--seed {}): {}\nThe store is in {}\n", when, seed, why.text, directory.string());
    return 1;
  };
  if (auto filled = fill_remote(directory); !filled) return failed("filling the remote", filled.error());
  for (int round = 0; round < rounds; ++round)
    if (auto done = run_round(directory, round, random); !done)
      return failed(fmt::format("round {} of {}", round + 1, rounds), done.error());
  bool all = true;
  for (int worker = 0; worker < kCollector; ++worker) {
    std::ifstream lines(directory / ("promised-" + name_of(worker)));
    auto promises = std::count(std::istreambuf_iterator<char>(lines), {}, '\n');
    fmt::print("{}: {} promises kept\n", name_of(worker), promises);
    all = all && promises > 0;
  }
  fmt::print("{} rounds\n", rounds);
  return all ? 0 : 1;
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
