// Google Cloud Storage: by the JSON interface, and what is read by the XML one, which tells an object's metadata with
// it. Who asks is shown by a token, which a service account's key or a person's refresh token gets.
#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <random>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/file.hpp"
#include "base/time.hpp"
#include "location/address.hpp"
#include "location/bucket.hpp"
#include "location/crypto.hpp"
#include "location/fields.hpp"
#include "location/part_upload.hpp"
#include "location/web.hpp"
#include "net/header_values.hpp"
#include "net/md5.hpp"
#include "net/url.hpp"

namespace kist::location {
namespace {

constexpr std::string_view kGcsMetadata = "x-goog-meta-";
constexpr std::string_view kScope = "https://www.googleapis.com/auth/devstorage.read_write";
constexpr std::size_t kLargestKey = 1 << 20;

std::string text_of(const Json& value, const char* name) {
  const auto found = value.find(name);
  return found != value.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<Json> parse_object(std::string_view text, std::string_view what) {
  auto parsed = parse_json(text);
  if (parsed && parsed->is_object()) return parsed;
  return fail(ErrorKind::unavailable, fmt::format("{} is no JSON object", what));
}

// Who asks. Thread-safe.
class GoogleIdentity {
 public:
  // `key`: what Google calls a credentials file; nullopt: nobody.
  static Result<std::unique_ptr<GoogleIdentity>> make(const std::optional<std::string>& key, const Context& context,
                                                      Web& web) {
    std::unique_ptr<GoogleIdentity> identity(new GoogleIdentity(context, web));
    if (!key) return identity;
    auto parsed = parse_json(*key);
    if (!parsed || !parsed->is_object())
      return fail(ErrorKind::invalid, "gcs: the service account's key is no JSON object");
    identity->type_ = text_of(*parsed, "type");
    if (identity->type_ == "service_account") {
      identity->who_ = text_of(*parsed, "client_email");
      identity->secret_ = text_of(*parsed, "private_key");
    } else if (identity->type_ == "authorized_user") {
      identity->who_ = text_of(*parsed, "client_id");
      identity->secret_ = text_of(*parsed, "client_secret");
      identity->refresh_ = text_of(*parsed, "refresh_token");
    } else {
      return fail(ErrorKind::unsupported, fmt::format("gcs: credentials of the type '{}' are not known here: expected "
                                                      "service_account or authorized_user",
                                                      identity->type_));
    }
    identity->token_uri_ = text_of(*parsed, "token_uri");
    if (identity->token_uri_.empty()) identity->token_uri_ = "https://oauth2.googleapis.com/token";
    if (identity->who_.empty() || identity->secret_.empty())
      return fail(ErrorKind::invalid, "gcs: the credentials lack a name or a key");
    return identity;
  }

  // Empty: nobody.
  Result<std::string> authorization() {
    if (type_.empty()) return std::string();
    std::lock_guard lock(mutex_);
    const auto at = std::chrono::steady_clock::now();
    if (token_.empty() || at > expires_) {
      KIST_TRY(renew(at));
    }
    return "Bearer " + token_;
  }

 private:
  GoogleIdentity(const Context& context, Web& web) : context_(context), web_(web) {}

  Result<net::Query> form() const {
    if (type_ == "authorized_user")
      return net::Query{{"grant_type", "refresh_token"},
                        {"client_id", who_},
                        {"client_secret", secret_},
                        {"refresh_token", refresh_}};
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now().time_since_epoch()).count();
    const Json header{{"alg", "RS256"}, {"typ", "JWT"}};
    const Json claims{{"iss", who_}, {"scope", kScope}, {"aud", token_uri_}, {"iat", seconds}, {"exp", seconds + 3600}};
    const std::string signing = to_base64_url(to_text(header)) + "." + to_base64_url(to_text(claims));
    auto signature = sign_rs256(secret_, signing);
    if (!signature) return with_context("gcs: the service account's private_key", std::move(signature).error());
    return net::Query{{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
                      {"assertion", signing + "." + to_base64_url(*signature)}};
  }

  Status renew(std::chrono::steady_clock::time_point at) {
    KIST_TRY_ASSIGN(auto address, parse_web_address(token_uri_));
    KIST_TRY_ASSIGN(address, apply(context_.endpoints, std::move(address)));
    KIST_TRY_ASSIGN(const auto fields, form());
    const std::string text = net::to_text(fields);
    const std::string doing = fmt::format("get a token for {} from {}", who_, address.shown());
    KIST_TRY_ASSIGN(const auto answer, web_.send(doing, [&](const std::string&) -> Result<net::HttpRequest> {
      net::HttpRequest request{.method = "POST", .url = address.url()};
      request.headers = {{"content-type", "application/x-www-form-urlencoded"}};
      request.body = net::text_body(text);
      return request;
    }));
    if (!answer.ok()) return fail(ErrorKind::denied, refused(doing, answer).error().text);
    KIST_TRY_ASSIGN(const Json value, parse_object(answer.text, "a token"));
    token_ = text_of(value, "access_token");
    if (token_.empty()) return fail(ErrorKind::denied, fmt::format("cannot {}: there is none in the answer", doing));
    const auto lifetime = value.find("expires_in");
    const std::int64_t seconds =
        lifetime != value.end() && lifetime->is_number_integer() ? lifetime->get<std::int64_t>() : 600;
    expires_ = at + std::chrono::seconds(std::clamp<std::int64_t>(seconds, 60, 3600) * 4 / 5);
    return {};
  }

  const Context& context_;
  Web& web_;
  std::string type_;
  std::string who_;
  std::string secret_;
  std::string refresh_;
  std::string token_uri_;
  std::mutex mutex_;
  std::string token_;
  std::chrono::steady_clock::time_point expires_;
};

class GoogleBucket final : public Bucket {
 public:
  GoogleBucket(const WebAddress& endpoint, std::string bucket, const Context& context)
      : base_(endpoint.origin() + endpoint.rest), bucket_(std::move(bucket)), context_(context), web_(context) {
    while (base_.ends_with('/')) base_.pop_back();
  }
  Status identify(const std::optional<std::string>& key, const Context& context) {
    KIST_TRY_ASSIGN(identity_, GoogleIdentity::make(key, context, web_));
    return {};
  }

  std::string address(std::string_view key) const override {
    return fmt::format("gcs://{}{}{}", bucket_, key.empty() ? "" : "/", key);
  }

  struct Call {
    std::string_view method;
    std::string url;
    net::HttpHeaders headers = {};
    std::optional<net::Body> body = {};
  };
  MakeRequest maker(Call call) {
    return [this, call = std::move(call)](const std::string& range) -> Result<net::HttpRequest> {
      KIST_TRY_ASSIGN(const std::string authorization, identity_->authorization());
      net::HttpRequest request;
      request.method = call.method;
      request.url = call.url;
      request.headers = call.headers;
      if (!authorization.empty()) request.headers.emplace_back("authorization", authorization);
      if (!range.empty()) request.headers.emplace_back("range", range);
      request.body = call.body;
      return request;
    };
  }
  Result<net::HttpAnswer> send(std::string_view doing, Call call) {
    KIST_TRY_ASSIGN(auto answer, web_.send(doing, maker(std::move(call))));
    if (!answer.ok() && answer.status != 308) return failed(doing, answer);
    return answer;
  }
  std::string objects(std::string_view prefix) const {
    return fmt::format("{}{}/storage/v1/b/{}/o", base_, prefix, net::percent_encode(bucket_));
  }

  Status get(std::string_view key, const std::function<Status(const Attributes&)>& begins,
             const net::Sink& sink) override {
    const std::string doing = "load " + address(key);
    Call call{.method = "GET",
              .url = fmt::format("{}/{}/{}", base_, net::percent_encode(bucket_), net::percent_encode(key))};
    call.headers = {{"accept-encoding", "gzip"}};  // as it is stored
    KIST_TRY_ASSIGN(const auto arrived, get_object(web_, doing, maker(std::move(call)), kGcsMetadata, begins, sink));
    if (!arrived.answer.ok()) return failed(doing, arrived.answer);
    for (const auto& [name, value] : arrived.answer.headers) {
      if (name != "x-goog-hash") continue;
      const auto at = value.find("md5=");
      if (at == std::string::npos) continue;
      const std::string expected = value.substr(at + 4, value.find(',', at) - at - 4);
      if (expected != arrived.md5)
        return fail(ErrorKind::corrupt,
                    fmt::format("what arrived of {} is not what the server says it has", address(key)));
    }
    return {};
  }

  // Where the server says that an upload goes on, mapped as every address is; the token goes there with it.
  Result<std::string> place_of(std::string_view told) const {
    KIST_TRY_ASSIGN(auto place, parse_web_address(told));
    KIST_TRY_ASSIGN(place, apply(context_.endpoints, std::move(place)));
    if (base_.starts_with("https:") && place.scheme != "https")
      return fail(ErrorKind::denied, "it leads from https to http");
    return place.url();
  }

  void take_back() const { web_.take_back(); }

  Json description(std::string_view key, const Attributes& attributes) const {
    Json value{{"name", key}, {"contentType", attributes.content_type}};
    for (const auto& [name, text] : attributes.metadata) value["metadata"][name] = text;
    return value;
  }

  Status put(std::string_view key, const net::Body& body, const Attributes& attributes) override {
    // Nothing that is sent can hold a name that was not known before.
    std::random_device random;
    const std::string boundary = fmt::format("kist-{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
    std::string text = fmt::format(
        "--{0}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{1}\r\n--{0}\r\nContent-Type: {2}\r\n\r\n",
        boundary, to_text(description(key, attributes)), attributes.content_type);
    net::Md5 md5;
    KIST_TRY(net::read_body(body, [&](std::span<const std::byte> bytes) {
      md5.update(bytes);
      text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }));
    text += fmt::format("\r\n--{}--\r\n", boundary);
    const std::string doing = "send " + address(key);
    KIST_TRY_ASSIGN(const auto answer,
                    send(doing, {.method = "POST",
                                 .url = objects("/upload") + "?uploadType=multipart",
                                 .headers = {{"content-type", fmt::format("multipart/related; boundary={}", boundary)}},
                                 .body = net::text_body(text)}));
    return check(doing, answer, md5.base64());
  }

  // What was stored is what was sent.
  static Status check(std::string_view doing, const net::HttpAnswer& answer, const std::string& md5) {
    KIST_TRY_ASSIGN(const Json value, parse_object(answer.text, "the server's answer"));
    const std::string stored = text_of(value, "md5Hash");
    if (stored.empty() || stored == md5) return {};
    return fail(ErrorKind::corrupt, fmt::format("cannot {}: what was stored is not what was sent", doing));
  }

  Result<std::unique_ptr<Upload>> upload(std::string_view key, const Attributes& attributes, std::uint64_t at_most,
                                         unsigned parallel) override;

  Status list(std::string_view prefix,
              const std::function<Result<bool>(const std::vector<std::string>& keys)>& page) override {
    std::string token;
    do {
      net::Query query{
          {"prefix", std::string(prefix)}, {"fields", "nextPageToken,items(name)"}, {"maxResults", "1000"}};
      if (!token.empty()) query.emplace_back("pageToken", token);
      const std::string doing = "list " + address(prefix);
      KIST_TRY_ASSIGN(const auto answer,
                      send(doing, {.method = "GET", .url = objects("") + "?" + net::to_text(query)}));
      KIST_TRY_ASSIGN(const Json value, parse_object(answer.text, "a listing of " + address(prefix)));
      std::vector<std::string> keys;
      if (const auto items = value.find("items"); items != value.end() && items->is_array())
        for (const Json& item : *items)
          if (item.is_object() && text_of(item, "name").starts_with(prefix) && item.contains("name"))
            keys.push_back(text_of(item, "name"));
      KIST_TRY_ASSIGN(const bool more, page(keys));
      if (!more) return {};
      const std::string next = text_of(value, "nextPageToken");
      if (!next.empty() && next == token)
        return fail(ErrorKind::unavailable, fmt::format("cannot {}: the listing does not come to an end", doing));
      token = next;
    } while (!token.empty());
    return {};
  }

  Status remove(const std::vector<std::string>& keys) override {
    for (const std::string& key : keys) {
      const std::string doing = "remove " + address(key);
      KIST_TRY_ASSIGN(
          const auto answer,
          web_.send(doing, maker({.method = "DELETE", .url = objects("") + "/" + net::percent_encode(key)})));
      if (!answer.ok() && answer.status != 404) return failed(doing, answer);
    }
    return {};
  }

 private:
  static std::unexpected<Error> failed(std::string_view doing, const net::HttpAnswer& answer) {
    std::string detail;
    if (auto parsed = parse_json(answer.text);
        parsed && parsed->is_object() && parsed->contains("error") && (*parsed)["error"].is_object())
      detail = text_of((*parsed)["error"], "message");
    return refused(doing, answer, detail);
  }

  std::string base_;
  std::string bucket_;
  const Context& context_;
  Web web_;
  std::unique_ptr<GoogleIdentity> identity_;
};

// A resumable upload: parts in order, all but the last whole numbers of 256 KiB; with the last comes the length. So one
// part is kept back until it is known whether it is the last.
class GoogleParts final : public Parts {
 public:
  GoogleParts(GoogleBucket& bucket, std::string key, Attributes attributes)
      : bucket_(bucket), key_(std::move(key)), attributes_(std::move(attributes)) {}

  Status whole(std::span<const std::byte> bytes) override { return bucket_.put(key_, {.bytes = bytes}, attributes_); }

  Status begin() override {
    const std::string text = to_text(bucket_.description(key_, attributes_));
    KIST_TRY_ASSIGN(const auto answer,
                    bucket_.send(doing(), {.method = "POST",
                                           .url = bucket_.objects("/upload") + "?uploadType=resumable&" +
                                                  net::to_text({{"name", key_}}),
                                           .headers = {{"content-type", "application/json; charset=UTF-8"},
                                                       {"x-upload-content-type", attributes_.content_type}},
                                           .body = net::text_body(text)}));
    auto session = bucket_.place_of(answer.header("location"));
    if (!session)
      return fail(ErrorKind::unavailable, fmt::format("cannot {}: the server begins no upload where it can be gone on "
                                                      "with: {}",
                                                      doing(), session.error().text));
    session_ = std::move(*session);
    return {};
  }

  Status part(unsigned, std::span<const std::byte> bytes) override {
    if (!kept_.empty()) KIST_TRY(send_kept("*"));
    kept_.assign(bytes.begin(), bytes.end());
    return {};
  }
  Status complete(unsigned) override { return send_kept(fmt::to_string(sent_ + kept_.size())); }
  void abort() override {
    if (session_.empty()) return;
    bucket_.take_back();
    (void)bucket_.send("end the upload of " + bucket_.address(key_), {.method = "DELETE", .url = session_});
  }

 private:
  std::string doing() const { return "send " + bucket_.address(key_); }

  // The server may keep a part of it only, and is then sent the rest.
  Status send_kept(const std::string& total) {
    md5_.update(kept_);
    const bool is_last = total != "*";
    const std::uint64_t end = sent_ + kept_.size();
    std::span<const std::byte> rest = kept_;
    for (;;) {
      KIST_TRY_ASSIGN(
          const auto answer,
          bucket_.send(doing(), {.method = "PUT",
                                 .url = session_,
                                 .headers = {{"content-range", fmt::format("bytes {}-{}/{}", sent_, end - 1, total)}},
                                 .body = net::Body{.bytes = rest}}));
      if (answer.ok()) {
        kept_.clear();
        if (is_last) return GoogleBucket::check(doing(), answer, md5_.base64());
        return fail(ErrorKind::unavailable,
                    fmt::format("cannot {}: HTTP status {} for a part", doing(), answer.status));
      }
      const std::string_view range = answer.header("range");
      const std::uint64_t has = range.starts_with("bytes=0-") ? net::number(range.substr(8)) + 1 : 0;
      if (has == end && !is_last) break;
      if (has <= sent_ || has >= end)
        return fail(ErrorKind::unavailable,
                    fmt::format("cannot {}: the server has '{}' of it, where {} bytes were sent", doing(), range, end));
      rest = rest.subspan(static_cast<std::size_t>(has - sent_));
      sent_ = has;
    }
    sent_ = end;
    kept_.clear();
    return {};
  }

  GoogleBucket& bucket_;
  std::string key_;
  Attributes attributes_;
  std::string session_;
  std::uint64_t sent_ = 0;
  std::vector<std::byte> kept_;
  net::Md5 md5_;
};

Result<std::unique_ptr<Upload>> GoogleBucket::upload(std::string_view key, const Attributes& attributes,
                                                     std::uint64_t at_most, unsigned) {
  return std::make_unique<PartUpload>(std::make_unique<GoogleParts>(*this, std::string(key), attributes),
                                      part_size_for(at_most), 1);
}

// Where Google's programs look.
Result<std::optional<std::string>> default_credentials() {
  if (const char* file = std::getenv("GOOGLE_APPLICATION_CREDENTIALS"); file != nullptr && *file != '\0') {
    auto text = read_file(file, kLargestKey);
    if (!text) return with_context("gcs: GOOGLE_APPLICATION_CREDENTIALS", std::move(text).error());
    return std::move(*text);
  }
  const char* home = std::getenv("HOME");
  if (home == nullptr) return std::nullopt;
  auto text =
      read_file(std::filesystem::path(home) / ".config/gcloud/application_default_credentials.json", kLargestKey);
  if (text) return std::move(*text);
  if (text.error().kind == ErrorKind::not_found) return std::nullopt;
  return std::unexpected(std::move(text).error());
}

}  // namespace

MadeDriver make_gcs(const model::Location& location, const Context& context) {
  const Fields fields(location, context);
  KIST_TRY_ASSIGN(const std::string bucket, fields.required("bucket"));
  if (location.text("key") == nullptr) return fail(ErrorKind::invalid, "gcs: 'key' is missing");
  const std::string endpoint = fields.text("endpoint");
  KIST_TRY_ASSIGN(auto address, parse_web_address(endpoint.empty() ? "https://storage.googleapis.com" : endpoint));
  KIST_TRY_ASSIGN(address, apply(context.endpoints, std::move(address)));
  KIST_TRY_ASSIGN(auto key, fields.secret("serviceAccountKeySecret"));
  if (!key) {
    KIST_TRY_ASSIGN(key, default_credentials());
  }
  auto made = std::make_unique<GoogleBucket>(address, bucket, context);
  KIST_TRY(made->identify(key, context));
  return at_key(std::move(made), fields.text("key"), context);
}

}  // namespace kist::location
