// The objects another kist serves (`kist serve`, docs/serve.md), as a place that keeps objects.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.hpp"
#include "net/object_store.hpp"
#include "net/retry.hpp"

namespace kist::net {

struct KistSettings {
  std::string token;  // that the server asks for
  HttpSettings http;
  RetrySettings retry;
};

// `address`: "https://host:2746". Nothing is sent yet. Errors: invalid.
Result<std::unique_ptr<ObjectStore>> open_kist_objects(std::string_view address, KistSettings settings);

// The token for an address, as far as it is known here: of `file` where it is given, else of KIST_TOKEN or of the file
// that KIST_TOKEN_FILE names. Errors: not_found (none; the text says what to do), denied.
Result<std::string> find_kist_token(const std::optional<std::string>& file);

}  // namespace kist::net
