#include "location/web.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/utf8.hpp"
#include "net/header_values.hpp"
#include "net/md5.hpp"

namespace kist::location {
namespace {

net::HttpSettings with_context(net::HttpSettings settings, const Context& context, const Cancelling& cancelling) {
  settings.connect_timeout = context.connect_timeout;
  settings.idle_timeout = context.idle_timeout;
  settings.cancelled = cancelling;
  return settings;
}

net::RetrySettings retry_of(const Context& context, const Cancelling& cancelling) {
  net::RetrySettings retry = context.retry;
  retry.cancelled = cancelling;
  return retry;
}

bool says_later(int status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

// Of an answer 206: where its part begins, and of how much it is one ("*": not told).
struct PartOfBody {
  std::uint64_t begin = 0;
  std::optional<std::uint64_t> total;
};
std::optional<PartOfBody> part_of(const net::HttpAnswer& answer) {
  const std::string_view range = answer.header("content-range");
  if (!range.starts_with("bytes ")) return std::nullopt;
  PartOfBody part;
  const auto [end, error] = std::from_chars(range.data() + 6, range.data() + range.size(), part.begin);
  if (error != std::errc() || end == range.data() + range.size() || *end != '-') return std::nullopt;
  const auto slash = range.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  if (range.substr(slash + 1) != "*") part.total = net::number(range.substr(slash + 1));
  return part;
}

// What tells one version of a thing from another.
std::string version_of(const net::HttpAnswer& answer) {
  const std::string_view etag = answer.header("etag");
  return std::string(etag.empty() ? answer.header("last-modified") : etag);
}

}  // namespace

Web::Web(const Context& context, net::HttpSettings settings)
    : cancelling_(context.cancelled),
      retry_(retry_of(context, cancelling_)),
      moved_(context.moved),
      client_(with_context(std::move(settings), context, cancelling_)) {}

Result<net::HttpAnswer> Web::attempt(std::string_view doing, const MakeRequest& make,
                                     const std::function<std::string()>& range,
                                     const std::function<void(net::HttpRequest&)>& change,
                                     const std::function<bool()>& progressed) {
  net::Retry retry(retry_);
  auto given_up = [&](std::string_view why) {
    const int attempts = retry.attempts() - 1;
    return fail(ErrorKind::unavailable, fmt::format("cannot {}: {}{}", doing, why,
                                                    attempts > 1 ? fmt::format(" (tried {} times)", attempts) : ""));
  };
  for (;;) {
    KIST_TRY_ASSIGN(auto request, make(range()));
    request.moved = moved_;
    change(request);
    auto answer = client_.perform(request);
    if (!answer) {
      auto& failure = answer.error();
      if (!failure.transient) {
        if (failure.error.kind != ErrorKind::unavailable) return std::unexpected(std::move(failure.error));
        return kist::with_context(fmt::format("cannot {}", doing), std::move(failure.error));
      }
      if (progressed()) retry.progressed();
      if (!retry.again(reached_)) return given_up(failure.error.text);
      continue;
    }
    reached_ = true;
    if (!says_later(answer->status)) return std::move(*answer);
    if (!retry.again(true, answer->retry_after())) return given_up(fmt::format("HTTP status {}", answer->status));
  }
}

Result<net::HttpAnswer> Web::send(std::string_view doing, const MakeRequest& make) {
  return attempt(doing, make, [] { return std::string(); }, [](net::HttpRequest&) {}, [] { return false; });
}

Result<net::HttpAnswer> Web::get(std::string_view doing, const MakeRequest& make,
                                 const std::function<Status(const net::HttpAnswer&)>& begins, const net::Sink& sink) {
  std::uint64_t received = 0;
  std::uint64_t before = 0;     // received when it broke last
  std::uint64_t pass_over = 0;  // of this attempt's body, what came already
  bool asked_for_part = false;
  std::optional<std::uint64_t> total;  // as an answer with a part tells it
  bool begun = false;
  std::string version;
  auto change = [&](net::HttpRequest& request) {
    request.begins = [&](const net::HttpAnswer& answer) -> Status {
      const std::string now = version_of(answer);
      if (begun && now != version)
        return fail(ErrorKind::conflict, fmt::format("cannot {}: it was replaced while it was read", doing));
      version = now;
      pass_over = received;
      if (answer.status == 206) {
        const auto part = part_of(answer);
        if (!asked_for_part || !part || part->begin > received)
          return fail(ErrorKind::unsupported,
                      fmt::format("cannot {}: the server gives another part than it was asked for", doing));
        pass_over = received - part->begin;
        total = part->total;
      }
      return std::exchange(begun, true) ? Status() : begins(answer);
    };
    request.sink = [&](std::span<const std::byte> bytes) -> Status {
      const auto known = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), pass_over));
      pass_over -= known;
      bytes = bytes.subspan(known);
      received += bytes.size();
      return bytes.empty() ? Status() : sink(bytes);
    };
  };
  // Only what a version names can be asked for in part.
  auto range = [&] {
    asked_for_part = received > 0 && !version.empty();
    return asked_for_part ? fmt::format("bytes={}-", received) : std::string();
  };
  auto progressed = [&] { return received > std::exchange(before, received); };
  for (;;) {
    const std::uint64_t had = received;
    KIST_TRY_ASSIGN(auto answer, attempt(doing, make, range, change, progressed));
    if (!answer.ok() || !total || received == *total) return answer;
    // A server may give less than it was asked for, and is asked for the rest.
    if (received == had || received > *total)
      return fail(ErrorKind::unavailable,
                  fmt::format("cannot {}: the server gave {} of {} bytes", doing, received, *total));
  }
}

Result<ArrivedObject> get_object(Web& web, std::string_view doing, const MakeRequest& make, std::string_view metadata,
                                 const std::function<Status(const Attributes&)>& begins, const net::Sink& sink) {
  net::HttpHeaders first;
  net::Md5 md5;
  auto told = [&](const net::HttpAnswer& answer) {
    first = answer.headers;
    Attributes attributes;
    attributes.content_type = answer.header("content-type");
    for (const auto& [name, value] : answer.headers) {
      if (!name.starts_with(metadata)) continue;
      std::string own = name.substr(metadata.size());
      std::ranges::replace(own, '_', '-');
      attributes.metadata.emplace_back(std::move(own), value);
    }
    return begins(attributes);
  };
  auto takes = [&](std::span<const std::byte> bytes) {
    md5.update(bytes);
    return sink(bytes);
  };
  KIST_TRY_ASSIGN(auto answer, web.get(doing, make, told, takes));
  if (answer.ok()) answer.headers = std::move(first);
  return ArrivedObject{.answer = std::move(answer), .md5 = md5.base64()};
}

std::unexpected<Error> refused(std::string_view doing, const net::HttpAnswer& answer, std::string_view detail) {
  std::string text = fmt::format("cannot {}: HTTP status {}", doing, answer.status);
  if (!detail.empty()) text += fmt::format(": {}", printable(detail.substr(0, 500)));
  switch (answer.status) {
    case 401:
      return fail(ErrorKind::denied, text + " (credentials are missing or wrong)");
    case 403:
      return fail(ErrorKind::denied, std::move(text));
    case 404:
    case 410:
      return fail(ErrorKind::not_found, std::move(text));
    case 409:
    case 412:
      return fail(ErrorKind::conflict, std::move(text));
    case 405:
    case 501:
      return fail(ErrorKind::unsupported, std::move(text));
    case 507:
      return fail(ErrorKind::no_space, std::move(text));
    default:
      return fail(answer.status < 500 ? ErrorKind::invalid : ErrorKind::unavailable, std::move(text));
  }
}

}  // namespace kist::location
