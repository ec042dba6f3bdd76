#include "task/requests.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/random.h>

#include "base/json.hpp"
#include "base/process.hpp"
#include "base/time.hpp"
#include "expression/expression.hpp"
#include "expression/selector.hpp"
#include "location/address.hpp"
#include "location/location.hpp"
#include "net/http.hpp"

namespace kist::task {

namespace {

constexpr int kMostRedirects = 10;
constexpr int kSeeOther = 303;
// Between two looks at an object: more and more, up to the last.
constexpr int kFirstLookMs = 50;
constexpr int kLastLookMs = 2000;

// The clock and the dice of this machine.
const expression::Surroundings& here() {
  static const expression::Surroundings surroundings{.now = [] { return now(); },
                                                     .random =
                                                         [](std::span<std::byte> bytes) {
                                                           while (!bytes.empty()) {
                                                             const ssize_t count =
                                                                 ::getrandom(bytes.data(), bytes.size(), 0);
                                                             if (count > 0)
                                                               bytes = bytes.subspan(static_cast<std::size_t>(count));
                                                           }
                                                         }};
  return surroundings;
}

// The names of one document: "response.headers.Date" is a member of a member.
class DocumentScope final : public expression::Scope {
 public:
  explicit DocumentScope(const Json& document) : document_(document) {}

  Result<std::optional<std::string>> find(std::string_view name) const override {
    KIST_TRY_ASSIGN(auto found, value(name));
    if (!found) return std::nullopt;
    return found->is_string() ? found->get<std::string>() : to_text(*found);
  }
  Result<std::optional<Json>> value(std::string_view name) const override {
    const Json* member = member_of(name);
    return member == nullptr ? std::nullopt : std::optional(*member);
  }
  std::vector<std::string> names(std::string_view prefix) const override {
    std::vector<std::string> all;
    const Json* member = prefix.empty() ? &document_ : member_of(prefix);
    if (member != nullptr && member->is_object())
      for (const auto& [key, ignored] : member->items())
        all.push_back(prefix.empty() ? key : fmt::format("{}.{}", prefix, key));
    return all;
  }

  const expression::Surroundings* surroundings() const override { return &here(); }

 private:
  const Json* member_of(std::string_view name) const {
    const Json* at = &document_;
    while (!name.empty()) {
      std::string key(name.substr(0, name.find('.')));
      if (!at->is_object() || !at->contains(key)) return nullptr;
      at = &(*at)[key];
      name.remove_prefix(std::min(name.size(), key.size() + 1));
    }
    return at;
  }
  const Json& document_;
};

// A condition as it is written, with or without the braces of a text.
Result<bool> holds(std::string_view condition, const Json& document) {
  if (condition.starts_with("{{=") && condition.ends_with("}}")) condition = condition.substr(3, condition.size() - 5);
  KIST_TRY_ASSIGN(auto expression, expression::Expression::parse(condition));
  return expression::evaluate_bool(expression, DocumentScope(document));
}

// "content-type" as servers and Go write it: "Content-Type".
std::string canonical(std::string_view name) {
  std::string result;
  bool begins = true;
  for (unsigned char c : name) {
    result += static_cast<char>(begins ? std::toupper(c) : std::tolower(c));
    begins = c == '-';
  }
  return result;
}

Json to_json(const net::HttpHeaders& headers) {
  Json all = Json::object();
  for (const auto& [name, value] : headers) {
    Json& values = all[canonical(name)];
    if (!values.is_array()) values = Json::array();
    values.push_back(value);
  }
  return all;
}

// Follows redirects, as browsers and Go do. Credentials go to the first server only.
Result<net::HttpAnswer> perform(net::HttpClient& client, net::HttpRequest request,
                                const location::Endpoints& endpoints) {
  KIST_TRY_ASSIGN(auto address, location::parse_web_address(request.url));
  for (int redirects = 0;; ++redirects) {
    KIST_TRY_ASSIGN(auto real, location::apply(endpoints, address));
    request.url = real.url();
    auto answer = client.perform(request);
    if (!answer) return std::unexpected(answer.error().error);
    std::string_view leads = answer->header("location");
    bool is_redirect = answer->status / 100 == 3 && answer->status != 304 && !leads.empty();
    if (!is_redirect) return std::move(*answer);
    if (redirects == kMostRedirects)
      return fail(ErrorKind::unavailable,
                  fmt::format("{} redirects more than {} times", address.shown(), kMostRedirects));
    KIST_TRY_ASSIGN(auto next, location::follow_reference(address, leads));
    if (next.origin() != address.origin())
      std::erase_if(request.headers, [](const auto& header) {
        std::string name = canonical(header.first);
        return name == "Authorization" || name == "Cookie";
      });
    if (answer->status <= kSeeOther && request.method != "GET" && request.method != "HEAD") {
      request.method = "GET";
      request.body.reset();
    }
    address = std::move(next);
  }
}

// A filter of the program jq, where this machine has it.
Result<std::string> filter(const std::string& object, const std::string& jq_filter) {
  ProcessRequest request;
  request.arguments = {"jq", "-r", jq_filter};
  request.input = object;
  auto done = run_process(request);
  if (!done && done.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::unsupported, "jqFilter needs the program jq: install it, or use jsonPath");
  if (!done) return std::unexpected(done.error());
  if (done->exit_code != 0)
    return fail(ErrorKind::invalid, fmt::format("jqFilter {}: {}", jq_filter, last_line(done->error_output)));
  if (done->output.ends_with('\n')) done->output.pop_back();
  return std::move(done->output);
}

// Kubernetes writes "{.status.phase}".
Result<std::string> select(const Json& object, std::string path) {
  if (path.starts_with('{') && path.ends_with('}')) path = path.substr(1, path.size() - 2);
  if (!path.starts_with('$')) path = (path.starts_with('.') || path.starts_with('[') ? "$" : "$.") + path;
  Json document{{"object", object}, {"path", path}};
  KIST_TRY_ASSIGN(auto expression, expression::Expression::parse("jsonpath(toJson(object), path)"));
  KIST_TRY_ASSIGN(Json value, expression::evaluate_value(expression, DocumentScope(document)));
  return value.is_string() ? value.get<std::string>() : to_text(value);
}

}  // namespace

Result<Answer> ask(const model::HttpRequest& request, Transfers& transfers, MaskedServices& services) {
  KIST_TRY_ASSIGN(auto context, transfers.context());
  net::HttpClient client({.ca_file = {},
                          .connect_timeout = request.timeout,
                          .idle_timeout = request.timeout,
                          .insecure = request.insecure,
                          .cancelled = context.cancelled});
  net::HttpRequest asked;
  asked.method = request.method.source();
  if (asked.method.empty()) asked.method = "GET";
  asked.url = request.url.source();
  for (const auto& header : request.headers) {
    if (const auto* text = std::get_if<model::Text>(&header.value)) {
      asked.headers.emplace_back(header.name, text->source());
      continue;
    }
    KIST_TRY_ASSIGN(auto value, services.value(std::get<model::SecretReference>(header.value)));
    if (value) asked.headers.emplace_back(header.name, std::move(*value));
  }
  const std::string body = request.body.source();
  if (!body.empty()) asked.body = net::text_body(body);
  KIST_TRY_ASSIGN(net::HttpAnswer answer, perform(client, asked, context.endpoints));

  Answer result;
  result.result = services.hide(answer.text);
  if (!request.success_condition) {
    if (!answer.ok()) result.failure = fmt::format("received non-2xx response code: {}", answer.status);
    return result;
  }
  Json document{
      {"request",
       {{"method", asked.method}, {"url", request.url.source()}, {"body", body}, {"headers", to_json(asked.headers)}}},
      {"response", {{"statusCode", answer.status}, {"body", answer.text}, {"headers", to_json(answer.headers)}}}};
  const std::string condition = request.success_condition->source();
  KIST_TRY_ASSIGN(bool is_good, holds(condition, document));
  if (!is_good) result.failure = fmt::format("successCondition '{}' evaluated false", condition);
  return result;
}

Result<Answer> list(const model::ListRequest& request, Transfers& transfers, MaskedServices& services) {
  KIST_TRY_ASSIGN(auto context, transfers.context());
  const model::Text* key = request.location.text("key");
  KIST_TRY_ASSIGN(auto keys, is_repository_key(request.location)
                                 ? services.keys_below(key == nullptr ? "" : key->source())
                                 : location::list(request.location, context));
  Json data = keys;
  for (const model::Text& transformation : request.transformations) {
    KIST_TRY_ASSIGN(auto expression, expression::Expression::parse(transformation.source()));
    Json document{{"data", data}};
    KIST_TRY_ASSIGN(data, expression::evaluate_value(expression, DocumentScope(document)));
  }
  return Answer{.result = to_text(data), .failure = {}, .parameters = {}};
}

namespace {

// What lies at a path of keys and indices, "status.conditions.0.type", as a text.
std::optional<std::string> value_at(const Json& object, std::string_view path) {
  const Json* at = &object;
  while (!path.empty()) {
    const std::string_view key = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), key.size() + 1));
    if (at->is_array()) {
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
      if (error != std::errc{} || end != key.data() + key.size() || index >= at->size()) return std::nullopt;
      at = &(*at)[index];
      continue;
    }
    if (!at->is_object()) return std::nullopt;
    const auto found = at->find(std::string(key));
    if (found == at->end()) return std::nullopt;
    at = &*found;
  }
  return at->is_string() ? at->get<std::string>() : at->is_null() ? std::string() : to_text(*at);
}

using Requirements = std::vector<expression::Requirement>;

Result<Requirements> requirements_of(const std::optional<model::Text>& condition) {
  if (!condition) return Requirements{};
  return expression::parse_selector(condition->source());
}

// Kubernetes would say no as well: the step has failed. Anything else is kist's own matter.
bool is_refusal(ErrorKind kind) {
  return kind == ErrorKind::not_found || kind == ErrorKind::conflict || kind == ErrorKind::invalid;
}

bool is_stopped(const StopSignal& stop, int within) {  // milliseconds
  pollfd waited{stop.descriptor(), POLLIN, 0};
  (void)::poll(&waited, 1, within);
  return stop.get() != Stop::none;
}

}  // namespace

Result<Answer> act(const model::ObjectRequest& request, MaskedServices& services, const StopSignal& stop) {
  KIST_TRY_ASSIGN(const Requirements success, requirements_of(request.success_condition));
  KIST_TRY_ASSIGN(const Requirements failure, requirements_of(request.failure_condition));
  Answer answer;
  auto acted = services.act_on_object(request);
  if (!acted && is_refusal(acted.error().kind)) {
    answer.failure = acted.error().text;
    return answer;
  }
  if (!acted) return std::unexpected(acted.error());
  std::string text = std::move(acted->object);
  if (request.action.source() == "delete") return answer;

  KIST_TRY_ASSIGN(Json object, parse_json(text));
  const bool waits = !success.empty() || !failure.empty();
  for (int pause = kFirstLookMs; waits; pause = std::min(2 * pause, kLastLookMs)) {
    const expression::KeyedValue value = [&](std::string_view key) { return value_at(object, key); };
    if (expression::any_holds(failure, value)) {
      answer.failure = fmt::format("failure condition '{}' evaluated true", request.failure_condition->source());
      return answer;
    }
    if (expression::all_hold(success, value)) break;
    if (is_stopped(stop, pause)) return answer;
    // An object is a manifest of itself.
    model::ObjectRequest look;
    look.action = model::Text::literal("get");
    look.manifest = model::Text::literal(text);
    auto seen = services.act_on_object(look);
    if (!seen && seen.error().kind == ErrorKind::not_found) {
      answer.failure = "the object was removed before a condition held: " + seen.error().text;
      return answer;
    }
    if (!seen) return std::unexpected(seen.error());
    text = std::move(seen->object);
    KIST_TRY_ASSIGN(object, parse_json(text));
  }
  for (const auto& output : request.outputs) {
    auto value = output.json_path.empty() ? filter(text, output.jq_filter) : select(object, output.json_path);
    if (!value) return with_context(fmt::format("parameter '{}'", output.parameter), value.error());
    answer.parameters.push_back({.name = output.parameter, .value = std::move(*value)});
  }
  return answer;
}

}  // namespace kist::task
