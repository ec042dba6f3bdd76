// One operation of a store, as one process: what bench/store.py times from outside, beside `cp -r` and the peers'
// programs. A run of a workflow does the same calls; here they stand without the run's own cost.
//
//   store_once STORE save PATH            saves and commits; prints TREE TIMES
//   store_once STORE adopt PATH           the same, of files that are kist's own scratch
//   store_once STORE restore TREE TIMES TARGET
//   store_once STORE view TREE TIMES      prints where it is
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "store/store.hpp"

namespace {

using kist::Digest;
using kist::store::ArtifactId;
using kist::store::Store;

[[noreturn]] void stop(const kist::Error& error) {
  std::fprintf(stderr, "%s\n", error.text.c_str());
  std::exit(1);
}

template <typename T>
T must(kist::Result<T> result) {
  if (!result) stop(result.error());
  return std::move(*result);
}
void must(const kist::Status& status) {
  if (!status) stop(status.error());
}

ArtifactId artifact(char** words) {
  return {must(Digest::parse(words[0])), must(Digest::parse(words[1]))};
}

void save(Store& store, const char* path, bool adopt) {
  auto transaction = must(store.begin());
  auto saved = must(transaction->save(path, {.adopt = adopt, .strict = true}));
  must(transaction->commit());
  std::printf("%s %s\n", saved.id.tree.hex().c_str(), saved.id.times.hex().c_str());
}

}  // namespace

int main(int count, char** words) {
  std::string_view operation = count > 2 ? words[2] : "";
  if (count == 4 && (operation == "save" || operation == "adopt")) {
    save(*must(Store::open(words[1])), words[3], operation == "adopt");
  } else if (count == 6 && operation == "restore") {
    must(must(Store::open(words[1]))->restore(artifact(words + 3), "", words[5], {.merge = false}));
  } else if (count == 5 && operation == "view") {
    auto store = must(Store::open(words[1]));
    std::printf("%s\n", must(store->view(artifact(words + 3)))->path().c_str());
  } else {
    std::fputs("usage: store_once STORE save|adopt PATH | restore TREE TIMES TARGET | view TREE TIMES\n", stderr);
    return 2;
  }
  return 0;
}
