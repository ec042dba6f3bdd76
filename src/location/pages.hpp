// An artifact's entries, sent some at a time: as many as go at once, so that memory does not grow with the artifact.
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.hpp"
#include "store/store.hpp"

namespace kist::location {

// `each` calls what it is given for every entry, until that says false; `send` gets up to `most` of them at a time.
// Errors: the first of both.
template <typename Each, typename Send>
Status in_pages(std::size_t most, const Each& each, const Send& send) {
  std::vector<store::Entry> page;
  Status sent;
  KIST_TRY(each([&](const store::Entry& entry) {
    page.push_back(entry);
    if (page.size() == most) {
      sent = send(page);
      page.clear();
    }
    return sent.has_value();
  }));
  KIST_TRY(sent);
  return page.empty() ? Status() : send(page);
}

}  // namespace kist::location
