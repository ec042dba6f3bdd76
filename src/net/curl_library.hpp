// libcurl, loaded when the first request is made: it brings two dozen libraries with it, and most commands of kist
// never speak to anybody.
#pragma once

#include <curl/curl.h>

#include "base/result.hpp"

namespace kist::net {

struct CurlLibrary {
  decltype(&::curl_global_init) global_init;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&::curl_easy_perform) easy_perform;
  decltype(&::curl_easy_reset) easy_reset;
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;
  decltype(&::curl_getdate) getdate;
};

// Thread-safe. Errors: unavailable (not installed).
Result<const CurlLibrary*> curl_library();

}  // namespace kist::net
