// One curl "easy" handle is one connection (it keeps the last one it used open). Idle handles wait in a stack, so that
// the ones used last, whose connections are most likely still open, are used first.
#include "net/http.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <mutex>

#include <fmt/format.h>

#include "net/curl_library.hpp"
#include "net/header_values.hpp"
#include "net/url.hpp"

namespace kist::net {
namespace {

constexpr std::size_t kIdleConnections = 32;
constexpr std::size_t kLongestText = 32 << 20;
constexpr long kSendBuffer = 512 << 10;
constexpr long kReceiveBuffer = 256 << 10;

// A request on its way: what curl's callbacks work on.
struct Transfer {
  const HttpRequest& request;
  HttpAnswer answer{};
  std::uint64_t sent = 0;
  bool begun = false;
  std::optional<Error> error{};  // of body, sink or begins

  Status receive(std::span<const std::byte> bytes) {
    if (answer.ok() && !std::exchange(begun, true) && request.begins) KIST_TRY(request.begins(answer));
    if (answer.ok() && request.moved) request.moved(bytes.size());
    if (answer.ok() && request.sink) return request.sink(bytes);
    if (answer.text.size() + bytes.size() > kLongestText)
      return fail(ErrorKind::unavailable, "the server's answer is larger than 32 MiB");
    answer.text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
};

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  auto& answer = static_cast<Transfer*>(user)->answer;
  const std::string_view line = trimmed({data, size});
  if (line.starts_with("HTTP/")) {  // also after "100 Continue"
    answer.headers.clear();
    const auto space = line.find(' ');
    answer.status = 0;
    if (space != std::string_view::npos)
      std::from_chars(line.data() + space + 1, line.data() + line.size(), answer.status);
    return size;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  answer.headers.emplace_back(std::move(name), trimmed(line.substr(colon + 1)));
  return size;
}

std::size_t on_receive(char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  auto received = transfer.receive({reinterpret_cast<const std::byte*>(data), size});
  if (received) return size;
  transfer.error = received.error();
  return size + 1;  // anything but `size` ends the transfer; also where size is 0
}

std::size_t on_send(char* data, std::size_t, std::size_t room, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  auto count = read_body(*transfer.request.body, transfer.sent, {reinterpret_cast<std::byte*>(data), room});
  if (!count) {
    transfer.error = count.error();
    return CURL_READFUNC_ABORT;
  }
  transfer.sent += *count;
  if (transfer.request.moved && *count > 0) transfer.request.moved(*count);
  return *count;
}

int on_seek(void* user, curl_off_t offset, int origin) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  if (transfer.sent > 0) transfer.answer.resent = true;
  transfer.sent = static_cast<std::uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return (*static_cast<const std::function<bool()>*>(user))() ? 1 : 0;
}

bool is_transient(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
      return true;
    default:
      return false;
  }
}

bool may_have_reached(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return false;
    default:
      return true;
  }
}

}  // namespace

std::string_view HttpAnswer::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

std::optional<Time> HttpAnswer::date() const {
  const std::string value(header("date"));
  auto curl = curl_library();
  if (value.empty() || !curl) return std::nullopt;
  const time_t seconds = (*curl)->getdate(value.c_str(), nullptr);
  // Nanoseconds since 1970 end in 2262.
  constexpr std::chrono::sys_seconds kLatest = std::chrono::sys_days(std::chrono::year(2262) / 1 / 1);
  if (seconds < 0 || seconds >= kLatest.time_since_epoch().count()) return std::nullopt;
  return Time(std::chrono::seconds(seconds));
}

std::optional<std::chrono::seconds> HttpAnswer::retry_after() const {
  const std::string value(header("retry-after"));
  if (value.empty()) return std::nullopt;
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc() && end == value.data() + value.size() && seconds >= 0) return std::chrono::seconds(seconds);
  auto curl = curl_library();
  const time_t then = curl ? (*curl)->getdate(value.c_str(), nullptr) : -1;
  if (then < 0) return std::nullopt;
  return std::chrono::seconds(std::max<time_t>(0, then - ::time(nullptr)));
}

struct HttpClient::Connections {
  std::mutex mutex;
  std::vector<CURL*> idle;

  ~Connections() {
    if (idle.empty()) return;
    const auto curl = curl_library();
    for (CURL* handle : idle) (*curl)->easy_cleanup(handle);
  }

  Result<CURL*> take(const CurlLibrary& curl) {
    {
      std::lock_guard lock(mutex);
      if (!idle.empty()) {
        CURL* handle = idle.back();
        idle.pop_back();
        return handle;
      }
    }
    CURL* handle = curl.easy_init();
    if (handle == nullptr) return fail(ErrorKind::unavailable, "libcurl gives no connection");
    return handle;
  }

  void give_back(const CurlLibrary& curl, CURL* handle) {
    curl.easy_reset(handle);  // keeps the connection
    {
      std::lock_guard lock(mutex);
      if (idle.size() < kIdleConnections) {
        idle.push_back(handle);
        return;
      }
    }
    curl.easy_cleanup(handle);
  }
};

HttpClient::HttpClient(HttpSettings settings)
    : settings_(std::move(settings)), connections_(std::make_unique<Connections>()) {}
HttpClient::~HttpClient() = default;

std::expected<HttpAnswer, HttpFailure> HttpClient::perform(const HttpRequest& request) {
  auto failed = [](Error error) { return std::unexpected(HttpFailure{.error = std::move(error)}); };
  auto url = parse_url(std::string_view(request.url).substr(0, request.url.find('?')));
  if (!url) return failed(std::move(url).error());
  auto library = curl_library();
  if (!library) return failed(std::move(library).error());
  const CurlLibrary& curl = **library;
  auto taken = connections_->take(curl);
  if (!taken) return failed(std::move(taken).error());
  CURL* const handle = *taken;
  auto set = [&](CURLoption option, auto value) { (void)curl.easy_setopt(handle, option, value); };

  Transfer transfer{.request = request};
  char reason[CURL_ERROR_SIZE] = "";
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(reason));
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PATH_AS_IS, 1L);  // "a/../b" is a name like any other, and was signed as it is
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings_.connect_timeout.count()));
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(settings_.idle_timeout.count()));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  if (is_loopback(url->host)) set(CURLOPT_PROXY, "");
  if (!settings_.ca_file.empty()) set(CURLOPT_CAINFO, settings_.ca_file.c_str());
  auto set_text = [&](CURLoption option, const std::string& text) {
    curl_blob blob{.data = const_cast<char*>(text.data()), .len = text.size(), .flags = CURL_BLOB_NOCOPY};
    if (!text.empty()) set(option, &blob);
  };
  set_text(CURLOPT_CAINFO_BLOB, settings_.ca);
  set_text(CURLOPT_SSLCERT_BLOB, settings_.client_certificate);
  set_text(CURLOPT_SSLKEY_BLOB, settings_.client_key);
  if (settings_.insecure) {
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (settings_.cancelled) {
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &on_progress);
    set(CURLOPT_XFERINFODATA, static_cast<const void*>(&settings_.cancelled));
  }
  set(CURLOPT_BUFFERSIZE, kReceiveBuffer);
  set(CURLOPT_HEADERFUNCTION, &on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
  set(CURLOPT_WRITEFUNCTION, &on_receive);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
  if (request.body) {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body->length()));
    set(CURLOPT_UPLOAD_BUFFERSIZE,
        static_cast<long>(std::clamp<std::uint64_t>(request.body->length(), 16 << 10, kSendBuffer)));
    set(CURLOPT_READFUNCTION, &on_send);
    set(CURLOPT_READDATA, static_cast<void*>(&transfer));
    set(CURLOPT_SEEKFUNCTION, &on_seek);
    set(CURLOPT_SEEKDATA, static_cast<void*>(&transfer));
  } else if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  }
  set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_slist* headers = nullptr;
  for (const auto& [name, value] : request.headers)
    headers = curl.slist_append(headers, (value.empty() ? name + ";" : name + ": " + value).c_str());
  if (!request.wait_to_send) headers = curl.slist_append(headers, "Expect:");
  set(CURLOPT_HTTPHEADER, headers);

  const CURLcode code = curl.easy_perform(handle);
  curl.slist_free_all(headers);
  connections_->give_back(curl, handle);

  if (transfer.error) return failed(std::move(*transfer.error));
  if (code == CURLE_OK) {
    // A body that is empty was never begun.
    if (transfer.answer.ok() && !transfer.begun && request.begins)
      if (auto begun = request.begins(transfer.answer); !begun) return failed(std::move(begun).error());
    return std::move(transfer.answer);
  }
  std::string_view why = reason[0] != '\0' ? std::string_view(reason) : curl.easy_strerror(code);
  HttpFailure failure{.error = {ErrorKind::unavailable, fmt::format("{}: {}", url->origin(), why)},
                      .transient = is_transient(code),
                      .reached = may_have_reached(code)};
  if (code == CURLE_ABORTED_BY_CALLBACK) failure.error.text = fmt::format("{}: cancelled", url->origin());
  const bool is_no_http =
      code == CURLE_GOT_NOTHING || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY;
  if (is_no_http && url->scheme == "http")
    failure.error.text += fmt::format(" (where the server speaks TLS its address begins with https://: https{})",
                                      url->origin().substr(std::string_view("http").size()));
  if (code == CURLE_PEER_FAILED_VERIFICATION)
    failure.error.text += " (name the certificate to trust, or repair the server's)";
  return std::unexpected(std::move(failure));
}

}  // namespace kist::net
