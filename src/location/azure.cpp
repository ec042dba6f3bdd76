// Azure's blob storage: Shared Key signatures, or a shared access signature from the environment.
#include <algorithm>
#include <ctime>
#include <map>

#include <fmt/format.h>

#include "base/base64.hpp"
#include "base/time.hpp"
#include "location/address.hpp"
#include "location/bucket.hpp"
#include "location/crypto.hpp"
#include "location/fields.hpp"
#include "location/part_upload.hpp"
#include "location/web.hpp"
#include "net/md5.hpp"
#include "net/url.hpp"
#include "net/xml.hpp"

namespace kist::location {
namespace {

constexpr std::string_view kVersion = "2021-08-06";
constexpr std::string_view kAzureMetadata = "x-ms-meta-";

struct AzurePlan {
  WebAddress endpoint;  // as it is asked
  std::string account;
  std::string container;
  std::optional<std::string> key;  // decoded
  std::string signature;           // a shared access signature: more of a query
};

std::string http_date() {
  const time_t at = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&at, &parts);
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

// Names of metadata are those of variables there.
std::string outside_name(std::string name) {
  std::ranges::replace(name, '-', '_');
  return name;
}

class AzureBucket final : public Bucket {
 public:
  AzureBucket(AzurePlan plan, const Context& context) : plan_(std::move(plan)), context_(context), web_(context) {}

  std::string address(std::string_view key) const override {
    return fmt::format("azure://{}{}{}", plan_.container, key.empty() ? "" : "/", key);
  }

  struct Call {
    std::string_view method;
    std::string key;
    net::Query query = {};
    net::HttpHeaders headers = {};
    std::optional<net::Body> body = {};
  };

  MakeRequest maker(Call call) const {
    return [this, call = std::move(call)](const std::string& range) -> Result<net::HttpRequest> {
      std::string path = plan_.endpoint.rest.substr(0, plan_.endpoint.rest.find('?'));
      while (path.ends_with('/')) path.pop_back();
      path += "/" + net::percent_encode(plan_.container);
      if (!call.key.empty()) path += "/" + net::percent_encode(call.key, true);
      net::HttpRequest request;
      request.method = call.method;
      std::string query = net::to_text(call.query);
      if (!plan_.signature.empty()) query += (query.empty() ? "" : "&") + plan_.signature;
      request.url = plan_.endpoint.origin() + path + (query.empty() ? "" : "?" + query);
      request.headers = call.headers;
      request.headers.emplace_back("x-ms-date", http_date());
      request.headers.emplace_back("x-ms-version", kVersion);
      if (!range.empty()) request.headers.emplace_back("range", range);
      request.body = call.body;
      if (plan_.key) request.headers.emplace_back("authorization", authorization(call, request, path, range));
      return request;
    };
  }

  Result<net::HttpAnswer> send(std::string_view doing, Call call) {
    KIST_TRY_ASSIGN(auto answer, web_.send(doing, maker(std::move(call))));
    if (!answer.ok()) return failed(doing, answer);
    return answer;
  }

  Status get(std::string_view key, const std::function<Status(const Attributes&)>& begins,
             const net::Sink& sink) override {
    const std::string doing = "load " + address(key);
    KIST_TRY_ASSIGN(const auto arrived, get_object(web_, doing, maker({.method = "GET", .key = std::string(key)}),
                                                   kAzureMetadata, begins, sink));
    if (!arrived.answer.ok()) return failed(doing, arrived.answer);
    const std::string_view expected = arrived.answer.header("content-md5");
    if (!expected.empty() && expected != arrived.md5)
      return fail(ErrorKind::corrupt,
                  fmt::format("what arrived of {} is not what the server says it has", address(key)));
    return {};
  }

  Status put(std::string_view key, const net::Body& body, const Attributes& attributes) override {
    Call call{.method = "PUT", .key = std::string(key)};
    call.headers = headers_for(attributes, "content-type");
    call.headers.emplace_back("x-ms-blob-type", "BlockBlob");
    KIST_TRY_ASSIGN(std::string md5, net::md5_base64(body));
    call.headers.emplace_back("content-md5", std::move(md5));
    call.body = body;
    KIST_TRY(send("send " + address(key), std::move(call)));
    return {};
  }

  Result<std::unique_ptr<Upload>> upload(std::string_view key, const Attributes& attributes, std::uint64_t at_most,
                                         unsigned parallel) override;

  Status list(std::string_view prefix,
              const std::function<Result<bool>(const std::vector<std::string>& keys)>& page) override {
    std::string marker;
    do {
      Call call{.method = "GET", .key = {}};
      call.query = {{"restype", "container"}, {"comp", "list"}, {"prefix", std::string(prefix)}};
      if (!marker.empty()) call.query.emplace_back("marker", marker);
      const std::string doing = "list " + address(prefix);
      KIST_TRY_ASSIGN(const auto answer, send(doing, std::move(call)));
      std::string_view text = answer.text;
      if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
      auto parsed = net::parse_xml(text);
      if (!parsed || parsed->name != "EnumerationResults")
        return fail(ErrorKind::unavailable, fmt::format("cannot {}: the answer is no listing", doing));
      std::vector<std::string> keys;
      if (const auto* blobs = parsed->find("Blobs"))
        for (const auto& blob : blobs->elements)
          if (blob.name == "Blob" && blob.text_of("Name").starts_with(prefix)) keys.emplace_back(blob.text_of("Name"));
      KIST_TRY_ASSIGN(const bool more, page(keys));
      if (!more) return {};
      const std::string next(parsed->text_of("NextMarker"));
      if (!next.empty() && next == marker)
        return fail(ErrorKind::unavailable, fmt::format("cannot {}: the listing does not come to an end", doing));
      marker = next;
    } while (!marker.empty());
    return {};
  }

  Status remove(const std::vector<std::string>& keys) override {
    for (const std::string& key : keys) {
      const std::string doing = "remove " + address(key);
      KIST_TRY_ASSIGN(const auto answer, web_.send(doing, maker({.method = "DELETE", .key = key})));
      if (!answer.ok() && !(answer.status == 404 && !is_missing_container(answer))) return failed(doing, answer);
    }
    return {};
  }

  net::HttpHeaders headers_for(const Attributes& attributes, const std::string& content_type) const {
    net::HttpHeaders headers{{content_type, attributes.content_type}};
    for (const auto& [name, value] : attributes.metadata)
      headers.emplace_back(std::string(kAzureMetadata) + outside_name(name), value);
    return headers;
  }

 private:
  static bool is_missing_container(const net::HttpAnswer& answer) {
    return answer.header("x-ms-error-code") == "ContainerNotFound";
  }

  std::unexpected<Error> failed(std::string_view doing, const net::HttpAnswer& answer) const {
    if (is_missing_container(answer))
      return fail(ErrorKind::invalid, fmt::format("cannot {}: there is no container '{}' at {}", doing, plan_.container,
                                                  plan_.endpoint.shown()));
    return refused(doing, answer, answer.header("x-ms-error-code"));
  }

  std::string authorization(const Call& call, const net::HttpRequest& request, const std::string& path,
                            const std::string& range) const {
    auto header = [&](std::string_view name) -> std::string {
      for (const auto& [key, value] : request.headers)
        if (key == name) return value;
      return {};
    };
    const std::uint64_t length = call.body ? call.body->length() : 0;
    std::string text = fmt::format("{}\n\n\n{}\n{}\n{}\n\n\n\n\n\n{}\n", call.method,
                                   length == 0 ? std::string() : fmt::to_string(length), header("content-md5"),
                                   header("content-type"), range);
    std::map<std::string, std::string> own;
    for (const auto& [name, value] : request.headers)
      if (name.starts_with("x-ms-")) own[name] = value;
    for (const auto& [name, value] : own) text += fmt::format("{}:{}\n", name, value);
    text += "/" + plan_.account + path;
    std::map<std::string, std::string> query(call.query.begin(), call.query.end());
    for (const auto& [name, value] : query) text += fmt::format("\n{}:{}", name, value);
    return fmt::format("SharedKey {}:{}", plan_.account, to_base64(hmac_sha256(*plan_.key, text)));
  }

  const AzurePlan plan_;
  const Context& context_;
  Web web_;
};

class AzureParts final : public Parts {
 public:
  AzureParts(AzureBucket& bucket, std::string key, Attributes attributes)
      : bucket_(bucket), key_(std::move(key)), attributes_(std::move(attributes)) {}

  Status whole(std::span<const std::byte> bytes) override { return bucket_.put(key_, {.bytes = bytes}, attributes_); }
  Status begin() override { return {}; }
  Status part(unsigned number, std::span<const std::byte> bytes) override {
    KIST_TRY_ASSIGN(const std::string md5, net::md5_base64(net::Body{.bytes = bytes}));
    KIST_TRY(bucket_.send("send " + bucket_.address(key_),
                          {.method = "PUT",
                           .key = key_,
                           .query = {{"comp", "block"}, {"blockid", block(number)}},
                           .headers = {{"content-md5", md5}, {"content-type", "application/octet-stream"}},
                           .body = net::Body{.bytes = bytes}}));
    return {};
  }
  Status complete(unsigned parts) override {
    std::string document = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>";
    for (unsigned number = 1; number <= parts; ++number) document += "<Latest>" + block(number) + "</Latest>";
    document += "</BlockList>";
    auto headers = bucket_.headers_for(attributes_, "x-ms-blob-content-type");
    headers.emplace_back("content-type", "application/xml");
    KIST_TRY(bucket_.send("send " + bucket_.address(key_), {.method = "PUT",
                                                            .key = key_,
                                                            .query = {{"comp", "blocklist"}},
                                                            .headers = std::move(headers),
                                                            .body = net::text_body(document)}));
    return {};
  }
  // Blocks that no list names are forgotten by the server.
  void abort() override {}

 private:
  static std::string block(unsigned number) { return to_base64(fmt::format("kist-{:08}", number)); }

  AzureBucket& bucket_;
  std::string key_;
  Attributes attributes_;
};

Result<std::unique_ptr<Upload>> AzureBucket::upload(std::string_view key, const Attributes& attributes,
                                                    std::uint64_t at_most, unsigned parallel) {
  return std::make_unique<PartUpload>(std::make_unique<AzureParts>(*this, std::string(key), attributes),
                                      part_size_for(at_most), parallel);
}

}  // namespace

MadeDriver make_azure(const model::Location& location, const Context& context) {
  const Fields fields(location, context);
  AzurePlan plan;
  KIST_TRY_ASSIGN(std::string endpoint, fields.required("endpoint"));
  if (!endpoint.contains("://")) endpoint = "https://" + endpoint;
  KIST_TRY_ASSIGN(plan.endpoint, parse_web_address(endpoint));
  KIST_TRY_ASSIGN(plan.container, fields.required("container"));
  if (location.text("blob") == nullptr) return fail(ErrorKind::invalid, "azure: 'blob' is missing");
  // The account's name is the first part of the host, or, of a server that is no Azure, of the path.
  const std::string host = plan.endpoint.host();
  if (host.contains(".blob."))
    plan.account = host.substr(0, host.find('.'));
  else
    plan.account = plan.endpoint.rest.substr(0, plan.endpoint.rest.find_first_of("/?", 1))
                       .substr(plan.endpoint.rest.empty() ? 0 : 1);
  KIST_TRY_ASSIGN(plan.endpoint, apply(context.endpoints, std::move(plan.endpoint)));
  KIST_TRY_ASSIGN(auto key, fields.secret("accountKeySecret"));
  if (!key) {
    if (const char* signature = std::getenv("AZURE_STORAGE_SAS_TOKEN"); signature != nullptr) {
      plan.signature = signature;
      if (plan.signature.starts_with('?')) plan.signature.erase(0, 1);
    } else if (const char* value = std::getenv("AZURE_STORAGE_KEY"); value != nullptr) {
      key = value;
    }
  }
  if (key) {
    auto decoded = from_base64(*key);
    if (!decoded) return fail(ErrorKind::invalid, "azure: the account's key is no base64");
    plan.key = std::move(*decoded);
    if (plan.account.empty())
      return fail(ErrorKind::invalid, fmt::format("azure: {} names no account", plan.endpoint.shown()));
  }
  return at_key(std::make_unique<AzureBucket>(std::move(plan), context), fields.text("blob"), context);
}

}  // namespace kist::location
