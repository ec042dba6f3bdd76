// Web addresses; and Artifactory, which is one with a user and a password that tells and checks digests.
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/digest.hpp"
#include "base/file.hpp"
#include "location/address.hpp"
#include "location/driver.hpp"
#include "location/fields.hpp"
#include "location/spooled.hpp"
#include "location/web.hpp"
#include "net/md5.hpp"
#include "net/url.hpp"

namespace kist::location {

namespace fs = std::filesystem;

namespace {

constexpr int kRedirects = 10;

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string basic(std::string_view user, std::string_view password) {
  return "Basic " + to_base64(fmt::format("{}:{}", user, password));
}

// The OAuth 2.0 client credentials grant (RFC 6749, section 4.4).
struct OAuth {
  std::string client_id;
  std::string client_secret;
  std::string token_url;
  std::vector<std::string> scopes;
  std::vector<std::pair<std::string, std::string>> parameters;
};

struct HttpPlan {
  WebAddress address;  // as it is asked for
  std::string shown;   // as the file writes it, without what may be secret
  net::HttpHeaders headers;
  std::string authorization;
  std::optional<OAuth> oauth;
  net::HttpSettings settings;
  bool sends_digest = false;
};

class HttpDriver final : public Driver {
 public:
  HttpDriver(HttpPlan plan, const Context& context)
      : plan_(std::move(plan)), context_(context), web_(context, plan_.settings) {}

  const std::string& address() const override { return plan_.shown; }

  Status fetch(const fs::path& target) override {
    FileDescriptor file;
    net::Md5 md5;
    Sha256 sha256;
    net::HttpAnswer first;  // what later ones tell is of a part
    auto begins = [&](const net::HttpAnswer& told) -> Status {
      first.headers = told.headers;
      KIST_TRY_ASSIGN(file, open_file(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW));
      return {};
    };
    auto sink = [&](std::span<const std::byte> bytes) -> Status {
      md5.update(bytes);
      sha256.update(bytes);
      return write_all(file.get(), bytes, target.string());
    };
    const std::string doing = "load " + plan_.shown;
    auto send = [&](const MakeRequest& make) { return web_.get(doing, make, begins, sink); };
    KIST_TRY_ASSIGN(const auto answer, follow("GET", doing, send, {}));
    if (!answer.ok()) return refused(doing, answer);
    auto damaged = [&] {
      return fail(ErrorKind::corrupt,
                  fmt::format("what arrived of {} is not what the server says it has", plan_.shown));
    };
    // A digest of what was stored says nothing of what was compressed on its way.
    if (!first.header("content-encoding").empty()) return {};
    const std::string_view told_md5 = first.header("content-md5");
    if (!told_md5.empty() && told_md5 != md5.base64()) return damaged();
    const std::string_view told_sha256 = first.header("x-checksum-sha256");
    if (!told_sha256.empty() && told_sha256 != sha256.finish().hex()) return damaged();
    return {};
  }

  Result<std::unique_ptr<Upload>> upload(const Attributes& attributes, std::uint64_t) override {
    return std::make_unique<Spooled>(
        context_.scratch, [this, type = attributes.content_type](const net::Body& body) { return put(body, type); });
  }

  Status send_directory(const Artifact&) override {
    return fail(ErrorKind::invalid,
                fmt::format("a directory cannot be sent to {} as it is: let it be archived (tar or zip)", plan_.shown));
  }

  Result<std::vector<std::string>> list() override {
    return fail(ErrorKind::unsupported, fmt::format("what lies below {} cannot be listed", plan_.shown));
  }

  Status remove_object() override {
    const std::string doing = "remove " + plan_.shown;
    auto send = [&](const MakeRequest& make) { return web_.send(doing, make); };
    KIST_TRY_ASSIGN(const auto answer, follow("DELETE", doing, send, {}));
    if (answer.ok() || answer.status == 404 || answer.status == 410) return {};
    return refused(doing, answer);
  }

  Status remove_directory(const Artifact&) override { return {}; }  // none was sent

 private:
  Status put(const net::Body& body, const std::string& content_type) {
    net::HttpRequest extra;
    extra.body = body;
    extra.headers = {{"content-type", content_type}};
    if (plan_.sends_digest) {
      Sha256 sha256;
      KIST_TRY(net::read_body(body, [&](std::span<const std::byte> bytes) { sha256.update(bytes); }));
      extra.headers.emplace_back("x-checksum-sha256", sha256.finish().hex());
    }
    const std::string doing = "send to " + plan_.shown;
    auto send = [&](const MakeRequest& make) { return web_.send(doing, make); };
    KIST_TRY_ASSIGN(const auto answer, follow("PUT", doing, send, extra));
    if (!answer.ok()) return refused(doing, answer);
    return {};
  }

  // Sends a request, and follows where the answers lead. Who asks is told to the address's own host only.
  Result<net::HttpAnswer> follow(std::string_view method, std::string_view doing,
                                 const std::function<Result<net::HttpAnswer>(const MakeRequest&)>& send,
                                 const net::HttpRequest& extra) {
    KIST_TRY_ASSIGN(const std::string authorization, authorize());
    WebAddress address = plan_.address;
    for (int i = 0; i <= kRedirects; ++i) {
      auto make = [&](const std::string& range) -> Result<net::HttpRequest> {
        net::HttpRequest request;
        if (!range.empty()) request.headers.emplace_back("range", range);
        request.method = method;
        request.url = address.url();
        const bool own = address.authority == plan_.address.authority && address.scheme == plan_.address.scheme;
        for (const auto& [name, value] : plan_.headers)
          if (own || !is_secret(name)) request.headers.emplace_back(name, value);
        if (own && !authorization.empty()) request.headers.emplace_back("authorization", authorization);
        for (const auto& header : extra.headers) request.headers.push_back(header);
        request.body = extra.body;
        return request;
      };
      KIST_TRY_ASSIGN(auto answer, send(make));
      const std::string_view leads_to = answer.header("location");
      if (!is_redirect(answer.status) || leads_to.empty()) return answer;
      auto next = follow_reference(address, leads_to);
      if (!next) return kist::with_context(fmt::format("cannot {}: it is redirected", doing), std::move(next).error());
      if (address.scheme == "https" && next->scheme == "http")
        return fail(ErrorKind::denied, fmt::format("cannot {}: it is redirected from https to http", doing));
      KIST_TRY_ASSIGN(address, apply(context_.endpoints, std::move(*next)));
    }
    return fail(ErrorKind::unavailable,
                fmt::format("cannot {}: it is redirected more than {} times", doing, kRedirects));
  }

  static bool is_secret(std::string_view header) {
    for (const std::string_view secret : {"authorization", "cookie", "www-authenticate"})
      if (header.size() == secret.size() && ::strncasecmp(header.data(), secret.data(), secret.size()) == 0)
        return true;
    return false;
  }

  Result<std::string> authorize() {
    if (!plan_.oauth) return plan_.authorization;
    const OAuth& oauth = *plan_.oauth;
    KIST_TRY_ASSIGN(auto address, parse_web_address(oauth.token_url));
    KIST_TRY_ASSIGN(address, apply(context_.endpoints, std::move(address)));
    const std::string doing = fmt::format("get a token from {}", address.shown());
    std::string scopes;
    for (const std::string& scope : oauth.scopes) scopes += (scopes.empty() ? "" : " ") + scope;
    // Servers take the client's name in the header or in the form, and are not asked which.
    net::HttpAnswer answer;
    for (const bool in_form : {false, true}) {
      net::Query form{{"grant_type", "client_credentials"}};
      if (!scopes.empty()) form.emplace_back("scope", scopes);
      for (const auto& parameter : oauth.parameters) form.push_back(parameter);
      if (in_form) {
        form.emplace_back("client_id", oauth.client_id);
        form.emplace_back("client_secret", oauth.client_secret);
      }
      const std::string text = net::to_text(form);
      auto make = [&](const std::string&) -> Result<net::HttpRequest> {
        net::HttpRequest request{.method = "POST", .url = address.url()};
        request.headers = {{"content-type", "application/x-www-form-urlencoded"}, {"accept", "application/json"}};
        if (!in_form)
          request.headers.emplace_back(
              "authorization", basic(net::percent_encode(oauth.client_id), net::percent_encode(oauth.client_secret)));
        request.body = net::text_body(text);
        return request;
      };
      KIST_TRY_ASSIGN(answer, web_.send(doing, make));
      if (answer.status != 400 && answer.status != 401) break;
    }
    if (!answer.ok()) {
      auto error = refused(doing, answer).error();
      return fail(ErrorKind::denied, std::move(error.text));
    }
    auto parsed = parse_json(answer.text);
    if (!parsed || !parsed->is_object() || !parsed->contains("access_token") || !(*parsed)["access_token"].is_string())
      return fail(ErrorKind::unavailable, fmt::format("cannot {}: the answer has no access_token", doing));
    return "Bearer " + (*parsed)["access_token"].get<std::string>();
  }

  const HttpPlan plan_;
  const Context& context_;
  Web web_;
};

Result<HttpPlan> plan_for(const Fields& fields, const Context& context) {
  HttpPlan plan;
  KIST_TRY_ASSIGN(const std::string url, fields.required("url"));
  KIST_TRY_ASSIGN(plan.address, parse_web_address(url));
  plan.shown = plan.address.shown();
  if (plan.address.has_user) plan.authorization = basic(plan.address.user, plan.address.password);
  KIST_TRY_ASSIGN(plan.address, apply(context.endpoints, std::move(plan.address)));
  return plan;
}

Status add_user(HttpPlan& plan, const Fields& fields, std::string_view prefix) {
  KIST_TRY_ASSIGN(const auto user, fields.secret(fmt::format("{}usernameSecret", prefix)));
  KIST_TRY_ASSIGN(const auto password, fields.secret(fmt::format("{}passwordSecret", prefix)));
  if (user || password) plan.authorization = basic(user.value_or(""), password.value_or(""));
  return {};
}

}  // namespace

MadeDriver make_http(const model::Location& location, const Context& context) {
  const Fields fields(location, context);
  KIST_TRY_ASSIGN(auto plan, plan_for(fields, context));
  KIST_TRY_ASSIGN(plan.headers, fields.pairs("headers", "name", "value"));
  KIST_TRY(add_user(plan, fields, "auth.basicAuth."));
  KIST_TRY_ASSIGN(const auto certificate, fields.secret("auth.clientCert.clientCertSecret"));
  KIST_TRY_ASSIGN(const auto key, fields.secret("auth.clientCert.clientKeySecret"));
  if (certificate.has_value() != key.has_value())
    return fail(ErrorKind::invalid, "http: of 'clientCertSecret' and 'clientKeySecret' one is missing");
  plan.settings.client_certificate = certificate.value_or("");
  plan.settings.client_key = key.value_or("");
  KIST_TRY_ASSIGN(const auto ca, fields.secret("caSecret"));
  plan.settings.ca = ca.value_or("");
  KIST_TRY_ASSIGN(const auto token_url, fields.secret("auth.oauth2.tokenURLSecret"));
  KIST_TRY_ASSIGN(const auto client_id, fields.secret("auth.oauth2.clientIDSecret"));
  KIST_TRY_ASSIGN(const auto client_secret, fields.secret("auth.oauth2.clientSecretSecret"));
  if (token_url || client_id || client_secret) {
    if (!token_url || !client_id || !client_secret)
      return fail(ErrorKind::invalid,
                  "http: auth.oauth2 needs 'tokenURLSecret', 'clientIDSecret' and 'clientSecretSecret'");
    plan.oauth = OAuth{.client_id = *client_id,
                       .client_secret = *client_secret,
                       .token_url = *token_url,
                       .scopes = fields.texts("auth.oauth2.scopes"),
                       .parameters = {}};
    KIST_TRY_ASSIGN(plan.oauth->parameters, fields.pairs("auth.oauth2.endpointParams", "key", "value"));
  }
  return std::make_unique<HttpDriver>(std::move(plan), context);
}

MadeDriver make_artifactory(const model::Location& location, const Context& context) {
  const Fields fields(location, context);
  KIST_TRY_ASSIGN(auto plan, plan_for(fields, context));
  KIST_TRY(add_user(plan, fields, ""));
  plan.sends_digest = true;
  return std::make_unique<HttpDriver>(std::move(plan), context);
}

}  // namespace kist::location
