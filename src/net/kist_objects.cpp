#include "net/kist_objects.hpp"

#include <atomic>
#include <cstdlib>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "net/header_values.hpp"
#include "net/url.hpp"

namespace kist::net {
namespace {

constexpr std::string_view kPageSize = "5000";

Result<std::string> content_digest(const Body& body) {
  Sha256 hash;
  KIST_TRY(read_body(body, [&](std::span<const std::byte> bytes) { hash.update(bytes); }));
  const Digest digest = hash.finish();
  return fmt::format("sha-256=:{}:",
                     to_base64({reinterpret_cast<const char*>(digest.value.data()), digest.value.size()}));
}

// What is missing, or of another type than it should be, is the default.
template <typename T>
T value_of(const Json& object, const char* name, const T& otherwise) {
  const auto found = object.find(name);
  if (found == object.end()) return otherwise;
  if constexpr (std::is_same_v<T, bool>)
    return found->is_boolean() ? found->template get<bool>() : otherwise;
  else if constexpr (std::is_same_v<T, std::string>)
    return found->is_string() ? found->template get<std::string>() : otherwise;
  else
    return found->is_number_unsigned() ? found->template get<T>() : otherwise;
}

struct Sent {
  HttpAnswer answer;
  bool doubtful = false;  // an earlier attempt may have been done, though its answer never came
};

class KistObjects final : public ObjectStore {
 public:
  KistObjects(const Url& url, KistSettings settings)
      : settings_(std::move(settings)),
        address_(url.origin() + url.path),
        base_(address_ + "/api/kist/v1/objects"),
        http_(settings_.http) {}

  const std::string& address() const override { return address_; }

  // Every kist does. What is looked at is whether it is one, and lets us in.
  Result<bool> obeys_conditions() override {
    HttpRequest request{.method = "GET", .url = base_ + "?limit=1"};
    KIST_TRY_ASSIGN(const auto sent, send(request, "list", ""));
    if (!sent.answer.ok()) return refused(sent.answer, "list", "");
    return true;
  }

  Result<std::string> put(std::string_view name, const Body& body, const PutCondition& condition,
                          const Moved& moved) override {
    HttpRequest request{.method = "PUT", .url = url(name)};
    KIST_TRY_ASSIGN(std::string digest, content_digest(body));
    request.headers = {{"content-digest", std::move(digest)}, {"content-type", "application/octet-stream"}};
    if (condition.kind == PutCondition::Kind::absent) request.headers.emplace_back("if-none-match", "*");
    if (condition.kind == PutCondition::Kind::matches)
      request.headers.emplace_back("if-match", "\"" + condition.version + "\"");
    request.body = body;
    request.moved = moved;
    request.wait_to_send = body.length() > kAskFirst;
    KIST_TRY_ASSIGN(auto sent, send(request, "put", name));
    if (sent.answer.ok()) {
      std::string version = unquoted(sent.answer.header("etag"));
      if (version.empty()) return not_kist();
      return version;
    }
    if (sent.answer.status == 412 && sent.doubtful) {
      // The attempt whose answer did not come may be what is in our way.
      KIST_TRY_ASSIGN(auto mine, stored(name, body));
      if (mine) return std::move(*mine);
    }
    return refused(sent.answer, "put", name);
  }

  Result<ObjectInfo> get(std::string_view name, const Sink& sink, std::uint64_t offset, std::uint64_t length) override {
    if (length == 0) return head(name);
    ObjectInfo info{.name = std::string(name), .size = 0, .version = {}};
    std::uint64_t received = 0;
    std::uint64_t before = 0;
    HttpRequest request{.method = "GET", .url = url(name)};
    auto set_range = [&] {
      request.headers.clear();
      if (length != UINT64_MAX)
        request.headers.emplace_back("range", fmt::format("bytes={}-{}", offset + received, offset + (length - 1)));
      else if (offset + received > 0)
        request.headers.emplace_back("range", fmt::format("bytes={}-", offset + received));
      if (!info.version.empty()) request.headers.emplace_back("if-match", "\"" + info.version + "\"");
    };
    set_range();
    request.begins = [&](const HttpAnswer& answer) -> Status {
      info.version = unquoted(answer.header("etag"));
      const std::string_view range = answer.header("content-range");
      const auto slash = range.find('/');
      info.size = number(slash == std::string_view::npos ? answer.header("content-length") : range.substr(slash + 1));
      const std::uint64_t begin = range.starts_with("bytes ") ? number(range.substr(6)) : 0;
      if (begin != offset + received) return not_kist();
      return {};
    };
    request.sink = [&](std::span<const std::byte> bytes) -> Status {
      received += bytes.size();
      return sink(bytes);
    };
    auto resume = [&] {
      set_range();
      return received > std::exchange(before, received);
    };
    KIST_TRY_ASSIGN(const auto sent, send(request, "read", name, resume));
    if (sent.answer.status == 416 && received == 0) return head(name);  // nothing lies there
    if (!sent.answer.ok()) return refused(sent.answer, "read", name);
    return info;
  }

  Result<ObjectInfo> head(std::string_view name) override {
    HttpRequest request{.method = "HEAD", .url = url(name)};
    KIST_TRY_ASSIGN(const auto sent, send(request, "read", name));
    if (!sent.answer.ok()) return refused(sent.answer, "read", name);
    return ObjectInfo{.name = std::string(name),
                      .size = number(sent.answer.header("content-length")),
                      .version = unquoted(sent.answer.header("etag"))};
  }

  Status list(std::string_view prefix, const std::function<bool(const ObjectInfo&)>& each) override {
    std::string after;
    for (;;) {
      HttpRequest request{
          .method = "GET",
          .url = base_ + "?" +
                 to_text(Query{{"prefix", std::string(prefix)}, {"after", after}, {"limit", std::string(kPageSize)}})};
      KIST_TRY_ASSIGN(const auto sent, send(request, "list", prefix));
      if (!sent.answer.ok()) return refused(sent.answer, "list", prefix);
      auto page = parse_json(sent.answer.text);
      if (!page || !page->is_object() || !page->contains("objects") || !(*page)["objects"].is_array())
        return not_kist();
      for (const Json& one : (*page)["objects"]) {
        if (!one.is_object() || !one.contains("name") || !one["name"].is_string()) return not_kist();
        ObjectInfo info{.name = one["name"].get<std::string>(),
                        .size = value_of(one, "size", std::uint64_t{0}),
                        .version = value_of(one, "version", std::string())};
        if (info.name <= after || !info.name.starts_with(prefix)) return not_kist();  // or it would never end
        after = info.name;
        if (!each(info)) return {};
      }
      if (!value_of(*page, "more", false) || (*page)["objects"].empty()) return {};
    }
  }

  Status remove(std::string_view name) override {
    HttpRequest request{.method = "DELETE", .url = url(name)};
    KIST_TRY_ASSIGN(const auto sent, send(request, "remove", name));
    if (sent.answer.ok() || sent.answer.status == 404) return {};
    return refused(sent.answer, "remove", name);
  }

 private:
  std::string url(std::string_view name) const { return base_ + "/" + percent_encode(name, true); }
  std::string show(std::string_view name) const { return fmt::format("{}/{}", address_, name); }

  std::unexpected<Error> not_kist() const {
    return fail(ErrorKind::unavailable, fmt::format("what answers at {} is no `kist serve`", address_));
  }

  // `resume`: what is different in the next attempt; true where something had moved.
  Result<Sent> send(HttpRequest& request, std::string_view doing, std::string_view name,
                    const std::function<bool()>& resume = {}) {
    const std::size_t own = request.headers.size();
    Retry retry(settings_.retry);
    bool doubtful = false;
    for (int damaged = 0;;) {
      if (!settings_.token.empty()) request.headers.emplace_back("authorization", "Bearer " + settings_.token);
      auto performed = http_.perform(request);
      request.headers.resize(own);
      std::string why;
      ErrorKind kind = ErrorKind::unavailable;
      bool again = false;
      if (!performed) {
        HttpFailure& failure = performed.error();
        if (!failure.transient && failure.error.kind != ErrorKind::unavailable)
          return std::unexpected(std::move(failure.error));
        if (!failure.transient)
          return with_context(fmt::format("cannot {} {}", doing, show(name)), std::move(failure.error));
        doubtful = doubtful || failure.reached;
        why = failure.error.text;
        if (resume && resume()) retry.progressed();
        again = retry.again(reached_);
      } else {
        reached_ = true;
        const int status = performed->status;
        const bool corrupt = status == 422;
        const bool transient =
            status == 429 || status == 502 || status == 503 || status == 504 || (corrupt && ++damaged < 4);
        if (!transient) return Sent{.answer = std::move(*performed), .doubtful = doubtful || performed->resent};
        if (corrupt) kind = ErrorKind::corrupt;
        why = fmt::format("HTTP status {}", status);
        again = retry.again(true, performed->retry_after());
      }
      if (!again)
        return fail(kind,
                    fmt::format("cannot {} {}: {} (tried {} times)", doing, show(name), why, retry.attempts() - 1));
    }
  }

  std::unexpected<Error> refused(const HttpAnswer& answer, std::string_view doing, std::string_view name) const {
    std::string message = fmt::format("HTTP status {}", answer.status);
    if (auto value = parse_json(answer.text); value && value->is_object() && value->contains("error")) {
      const Json& error = (*value)["error"];
      if (error.is_object()) message = value_of(error, "message", message);
    }
    const std::string text = fmt::format("cannot {} {}: {}", doing, show(name), message);
    switch (answer.status) {
      case 401:
        return fail(ErrorKind::denied, fmt::format("{} asks for its token{}", address_,
                                                   settings_.token.empty() ? "" : ", and this is another"));
      case 403:
        return fail(ErrorKind::denied, text);
      case 404:
        return fail(ErrorKind::not_found, fmt::format("there is no {}", show(name)));
      case 412:
        return fail(ErrorKind::conflict, text);
      case 422:
        return fail(ErrorKind::corrupt, text);
      case 501:
        return fail(ErrorKind::unsupported, text);
      case 507:
        return fail(ErrorKind::no_space, text);
      default:
        return fail(answer.status < 500 ? ErrorKind::invalid : ErrorKind::unavailable, text);
    }
  }

  // The version of what is stored, if it is this.
  Result<std::optional<std::string>> stored(std::string_view name, const Body& body) {
    std::optional<std::string> other;
    auto there = head(name);
    if (!there && there.error().kind == ErrorKind::not_found) return other;
    if (!there) return std::unexpected(std::move(there).error());
    if (there->size != body.length()) return other;
    std::string version;
    KIST_TRY_ASSIGN(const bool equal, equals(body, [&](const Sink& sink) -> Status {
                      KIST_TRY_ASSIGN(auto read, get(name, sink, 0, UINT64_MAX));
                      version = std::move(read.version);
                      return {};
                    }));
    return equal ? std::optional(version) : other;
  }

  const KistSettings settings_;
  const std::string address_;
  const std::string base_;
  HttpClient http_;
  std::atomic<bool> reached_{false};
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_kist_objects(std::string_view address, KistSettings settings) {
  KIST_TRY_ASSIGN(auto url, parse_url(address));
  return std::make_unique<KistObjects>(url, std::move(settings));
}

Result<std::string> find_kist_token(const std::optional<std::string>& file) {
  auto of_file = [](const std::string& path) -> Result<std::string> {
    KIST_TRY_ASSIGN(std::string text, read_file(path, 4096));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
    if (text.empty() || text.find_first_of(" \n\r\t") != std::string::npos)
      return fail(ErrorKind::invalid, fmt::format("{}: expected a token: one word", path));
    return text;
  };
  if (file) return of_file(*file);
  if (const char* token = std::getenv("KIST_TOKEN"); token != nullptr && *token != '\0') return std::string(token);
  if (const char* path = std::getenv("KIST_TOKEN_FILE"); path != nullptr && *path != '\0') return of_file(path);
  return fail(ErrorKind::not_found,
              "the server's token is not known here: set KIST_TOKEN to it, or KIST_TOKEN_FILE to a file that holds it");
}

}  // namespace kist::net
