// Runs and tags on their way to a remote and from it: which there are here and there, who wins where they differ, and
// how far the transfer is.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "cli/context.hpp"
#include "cli/remotes.hpp"
#include "store/remote.hpp"

namespace kist::cli {

// One thing to push: a run, and a tag of it or none.
struct Sending {
  std::string run;
  Digest record;
  std::optional<std::string> tag;
};

// What a word (RUN or :TAG) means here. Errors: not_found, invalid (the run has not ended).
Result<Sending> find_sending(House& house, std::string_view word);

// The same run under another name: a record of its own that says so. The transaction keeps it until it is sent.
struct Renamed {
  Sending sending;
  std::unique_ptr<store::Transaction> transaction;
};
Result<Renamed> rename(House& house, const Sending& sending, const std::string& name);

// Sends all of them, then their references. `force`: tags are moved although somebody else set them there. Errors:
// conflict (another run of this name, or a tag that somebody else set, is there: the text says what to do); those of
// RemoteStore::push().
Status push_to(OpenRemote& remote, std::span<const Sending> sendings, bool force, store::Transfer& transfer);

struct Pulled {
  std::string run;
  std::optional<std::string> tag;
  bool was_here = false;
};

// Fetches RUN or :TAG with all it leads to, and writes it into the catalog.
struct PullOptions {
  std::optional<std::string> project;  // the run is this one's here, wherever it was made
  std::optional<std::string> as;       // the run's name here
  bool force = false;                  // a tag that is another run's here is moved
};
// Errors: not_found, conflict; no_space (the quota is used up: nothing is fetched); those of RemoteStore::pull().
Result<Pulled> pull_from(House& house, OpenRemote& remote, std::string_view word, const PullOptions& options,
                         store::Transfer& transfer);

// The run behind a tag of the remote, with all its artifacts here; the catalog does not learn of it. They are kept
// until the remote is closed, or something refers to them. Errors: not_found, those of RemoteStore::pull().
Result<model::RunRecord> fetch_tag(OpenRemote& remote, std::string_view tag, store::Transfer& transfer);

// Shows a transfer on a terminal, redrawn several times a second until destroyed; nothing elsewhere.
class TransferDisplay {
 public:
  // "Sending to origin". Both must outlive it.
  TransferDisplay(std::string what, const store::Transfer& transfer);
  ~TransferDisplay();
  TransferDisplay(const TransferDisplay&) = delete;
  TransferDisplay& operator=(const TransferDisplay&) = delete;

 private:
  void draw(const std::stop_token& stop) const;
  const std::string what_;
  const store::Transfer& transfer_;
  std::jthread thread_;
};

// "1.2GiB of 3.4GiB, 120.0MiB/s, 18s left".
std::string progress_text(std::uint64_t done, std::uint64_t total, std::chrono::nanoseconds taken);

}  // namespace kist::cli
