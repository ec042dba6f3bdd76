#include "location/webhdfs.hpp"

#include <algorithm>
#include <random>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/utf8.hpp"

namespace kist::location {
namespace {

// A file is read in pieces of this size, each from the data node that has it: what breaks is read again from the
// beginning of its piece.
constexpr std::uint64_t kReadAtOnce = 64 << 20;
constexpr int kRedirected = 307;  // how releases answer that do not know `noredirect`

std::string text_at(const Json& value, const char* name) {
  const auto found = value.find(name);
  return found != value.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t number_at(const Json& value, const char* name) {
  const auto found = value.find(name);
  return found != value.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

// What a name or data node says is wrong: {"RemoteException": {"exception": "FileNotFoundException", …}}.
struct RemoteException {
  std::string name;
  std::string message;
};

RemoteException exception_of(const net::HttpAnswer& answer) {
  auto parsed = parse_json(answer.text);
  if (!parsed || !parsed->is_object()) return {};
  const auto found = parsed->find("RemoteException");
  if (found == parsed->end() || !found->is_object()) return {};
  return {text_at(*found, "exception"), text_at(*found, "message")};
}

bool is_standby(const RemoteException& exception) {
  return exception.name == "StandbyException";
}

bool passes(const RemoteException& exception) {
  return exception.name == "SafeModeException" || exception.name == "RetriableException";
}

// Statuses are too few to tell: 403 is said of nearly everything.
std::unexpected<Error> hdfs_refused(std::string_view doing, const net::HttpAnswer& answer) {
  const RemoteException exception = exception_of(answer);
  if (exception.name.empty()) {
    if (answer.status == 401 && answer.header("www-authenticate").starts_with("Negotiate"))
      return fail(ErrorKind::unsupported,
                  fmt::format("cannot {}: the server wants Kerberos, which kist does not speak", doing));
    return refused(doing, answer);
  }
  static constexpr std::pair<std::string_view, ErrorKind> kKinds[] = {
      {"FileNotFoundException", ErrorKind::not_found},
      {"AccessControlException", ErrorKind::denied},
      {"AuthorizationException", ErrorKind::denied},
      {"SecurityException", ErrorKind::denied},
      {"InvalidToken", ErrorKind::denied},
      {"FileAlreadyExistsException", ErrorKind::conflict},
      {"ParentNotDirectoryException", ErrorKind::conflict},
      {"PathIsNotEmptyDirectoryException", ErrorKind::conflict},
      {"AlreadyBeingCreatedException", ErrorKind::conflict},
      {"NSQuotaExceededException", ErrorKind::no_space},
      {"DSQuotaExceededException", ErrorKind::no_space},
      {"QuotaByStorageTypeExceededException", ErrorKind::no_space},
      {"StandbyException", ErrorKind::unavailable},
      {"SafeModeException", ErrorKind::unavailable},
      {"RetriableException", ErrorKind::unavailable},
      {"IllegalArgumentException", ErrorKind::invalid},
      {"InvalidPathException", ErrorKind::invalid},
      {"UnsupportedOperationException", ErrorKind::unsupported},
  };
  const auto* const known = std::ranges::find(kKinds, exception.name, &std::pair<std::string_view, ErrorKind>::first);
  const std::string message = exception.message.substr(0, exception.message.find('\n')).substr(0, 500);
  return fail(known == std::end(kKinds) ? ErrorKind::io : known->second,
              fmt::format("cannot {}: {}: {}", doing, printable(exception.name), printable(message)));
}

Result<HdfsStatus> to_status(std::string_view doing, const Json& value) {
  auto wrong = [&](std::string_view what) {
    return fail(ErrorKind::unavailable, fmt::format("cannot {}: the server's answer has no {}", doing, what));
  };
  if (!value.is_object()) return wrong("status");
  HdfsStatus status;
  status.name = text_at(value, "pathSuffix");
  const std::string type = text_at(value, "type");
  status.is_file = type == "FILE";
  status.is_directory = type == "DIRECTORY";
  if (type.empty()) return wrong("type");
  const std::int64_t length = number_at(value, "length");
  if (length < 0) return wrong("length");
  status.length = static_cast<std::uint64_t>(length);
  const std::string mode = text_at(value, "permission");  // octal, sticky bit included
  for (const char digit : mode) {
    if (digit < '0' || digit > '7') return wrong("permission");
    status.mode = (status.mode * 8 + static_cast<unsigned>(digit - '0')) & 0777;
  }
  status.modified = number_at(value, "modificationTime");
  status.id = number_at(value, "fileId");
  return status;
}

std::string random_name() {
  std::random_device random;
  return fmt::format(".kist-{:08x}{:08x}", random(), random());
}

}  // namespace

WebHdfs::WebHdfs(const std::vector<WebAddress>& name_nodes, std::string user, std::string shown, const Context& context)
    : user_(std::move(user)), shown_(std::move(shown)), context_(context), data_(context) {
  for (const WebAddress& address : name_nodes) name_nodes_.emplace_back(address, context);
}

Result<net::HttpAnswer> WebHdfs::ask(std::string_view doing, std::string_view method, const std::string& path,
                                     const net::Query& query) {
  net::RetrySettings settings = context_.retry;
  settings.cancelled = context_.cancelled;
  net::Retry retry(settings);
  for (;;) {
    Result<net::HttpAnswer> last = fail(ErrorKind::invalid, fmt::format("cannot {}: there is no name node", doing));
    bool may_pass = false;
    const std::size_t first = active_;
    for (std::size_t i = 0; i < name_nodes_.size(); ++i) {
      const std::size_t number = (first + i) % name_nodes_.size();
      NameNode& node = name_nodes_[number];
      auto make = [&](const std::string&) -> Result<net::HttpRequest> {
        net::Query whole = query;
        whole.emplace_back("user.name", user_);
        net::HttpRequest request;
        request.method = method;
        request.url = fmt::format("{}{}/webhdfs/v1{}?{}", node.address.origin(), node.address.rest,
                                  net::percent_encode(path, true), net::to_text(whole));
        if (method == "PUT") request.body = net::text_body("");
        return request;
      };
      auto answer = node.web.send(doing, make);
      if (!answer) {
        if (answer.error().kind != ErrorKind::unavailable || (context_.cancelled && context_.cancelled()))
          return answer;
        // What the one that answers says is worth more.
        if (!may_pass) last = std::move(answer);
        continue;
      }
      const RemoteException exception = answer->status == 403 ? exception_of(*answer) : RemoteException();
      if (!is_standby(exception)) active_ = number;
      if (!is_standby(exception) && !passes(exception)) return answer;
      last = hdfs_refused(doing, *answer);
      may_pass = true;
    }
    if (!may_pass || !retry.again(true)) return last;
  }
}

Result<Json> WebHdfs::ask_json(std::string_view doing, std::string_view method, const std::string& path,
                               const net::Query& query) {
  KIST_TRY_ASSIGN(const auto answer, ask(doing, method, path, query));
  if (!answer.ok()) return hdfs_refused(doing, answer);
  auto parsed = parse_json(answer.text);
  if (parsed && parsed->is_object()) return parsed;
  return fail(ErrorKind::unavailable,
              fmt::format("cannot {}: the answer is not that of a name node. Its web address is asked, not that for "
                          "Hadoop's own protocol: 'endpoints' of settings.yaml says where it is",
                          doing));
}

Result<std::string> WebHdfs::data_node(std::string_view doing, std::string_view method, const std::string& path,
                                       const net::Query& query) {
  net::Query whole = query;
  whole.emplace_back("noredirect", "true");
  KIST_TRY_ASSIGN(const auto answer, ask(doing, method, path, whole));
  std::string leads_to;
  if (answer.status == kRedirected) {
    leads_to = answer.header("location");
  } else if (!answer.ok()) {
    return hdfs_refused(doing, answer);
  } else if (auto parsed = parse_json(answer.text); parsed && parsed->is_object()) {
    leads_to = text_at(*parsed, "Location");
  }
  if (leads_to.empty())
    return fail(ErrorKind::unavailable, fmt::format("cannot {}: the name node names no data node", doing));
  auto address = parse_web_address(leads_to);
  if (!address)
    return with_context(fmt::format("cannot {}: the name node names a data node", doing), std::move(address).error());
  KIST_TRY_ASSIGN(const auto there, apply(context_.endpoints, std::move(*address)));
  const WebAddress& asked = name_nodes_[active_].address;
  if (asked.scheme == "https" && there.scheme != "https")
    return fail(ErrorKind::denied,
                fmt::format("cannot {}: the name node, asked by https, leads to a data node by http", doing));
  return there.url();
}

Result<HdfsStatus> WebHdfs::status(const std::string& path) {
  const std::string doing = "look at " + address(path);
  KIST_TRY_ASSIGN(const Json value, ask_json(doing, "GET", path, {{"op", "GETFILESTATUS"}}));
  return to_status(doing, value.value("FileStatus", Json()));
}

Status WebHdfs::list(const std::string& path, const std::function<Status(const std::vector<HdfsStatus>&)>& page) {
  const std::string doing = "list " + address(path);
  auto strange = [&] {
    return fail(ErrorKind::unavailable, fmt::format("cannot {}: the server's answer is no listing", doing));
  };
  std::string after;
  for (;;) {
    net::Query query{{"op", "LISTSTATUS_BATCH"}};
    if (!after.empty()) query.emplace_back("startAfter", after);
    KIST_TRY_ASSIGN(const Json value, ask_json(doing, "GET", path, query));
    const Json listing = value.value("DirectoryListing", Json());
    const Json::json_pointer where("/partialListing/FileStatuses/FileStatus");
    if (!listing.is_object() || !listing.contains(where) || !listing.at(where).is_array()) return strange();
    std::vector<HdfsStatus> found;
    for (const Json& each : listing.at(where)) {
      KIST_TRY_ASSIGN(auto status, to_status(doing, each));
      // A file is answered with itself, without a name.
      if (status.name.empty()) return fail(ErrorKind::invalid, fmt::format("{} is no directory", address(path)));
      found.push_back(std::move(status));
    }
    if (number_at(listing, "remainingEntries") <= 0) return found.empty() ? Status() : page(found);
    if (found.empty() || found.back().name == after)
      return fail(ErrorKind::unavailable, fmt::format("cannot {}: the listing does not come to an end", doing));
    after = found.back().name;
    KIST_TRY(page(found));
  }
}

Status WebHdfs::read(const std::string& path, const HdfsStatus& status, const net::Sink& sink) {
  const std::string doing = "load " + address(path);
  std::uint64_t at = 0;
  while (at < status.length) {
    const std::uint64_t count = std::min(kReadAtOnce, status.length - at);
    std::uint64_t arrived = 0;
    auto damaged = [&] {
      return fail(ErrorKind::corrupt, fmt::format("cannot {}: of {} bytes, {} {}", doing, count, arrived,
                                                  arrived > count ? "and more came" : "came"));
    };
    auto make = [&](const std::string&) -> Result<net::HttpRequest> {
      KIST_TRY_ASSIGN(auto url,
                      data_node(doing, "GET", path,
                                {{"op", "OPEN"}, {"offset", fmt::to_string(at)}, {"length", fmt::to_string(count)}}));
      return net::HttpRequest{.url = std::move(url)};
    };
    auto takes = [&](std::span<const std::byte> bytes) -> Status {
      arrived += bytes.size();
      return arrived > count ? damaged() : sink(bytes);
    };
    KIST_TRY_ASSIGN(const auto answer, data_.get(doing, make, [](const auto&) { return Status(); }, takes));
    if (!answer.ok()) return hdfs_refused(doing, answer);
    if (arrived != count) return damaged();
    at += count;
  }
  KIST_TRY_ASSIGN(const HdfsStatus now, this->status(path));
  if (now.id != status.id || now.length != status.length || now.modified != status.modified)
    return fail(ErrorKind::conflict, fmt::format("cannot {}: it was replaced while it was read", doing));
  return {};
}

Status WebHdfs::create(const std::string& path, const net::Body& body, unsigned mode) {
  const std::string doing = "send " + address(path);
  auto make = [&](const std::string&) -> Result<net::HttpRequest> {
    KIST_TRY_ASSIGN(auto url,
                    data_node(doing, "PUT", path,
                              {{"op", "CREATE"}, {"overwrite", "true"}, {"permission", fmt::format("{:o}", mode)}}));
    net::HttpRequest request{.method = "PUT", .url = std::move(url)};
    request.headers = {{"content-type", "application/octet-stream"}};
    request.body = body;
    return request;
  };
  KIST_TRY_ASSIGN(const auto answer, data_.send(doing, make));
  if (!answer.ok()) return hdfs_refused(doing, answer);
  KIST_TRY_ASSIGN(const HdfsStatus stored, status(path));
  if (stored.length != body.length())
    return fail(ErrorKind::corrupt, fmt::format("cannot {}: what was stored is not what was sent", doing));
  if (stored.mode == mode) return {};
  // A data node has a umask.
  KIST_TRY_ASSIGN(const auto changed,
                  ask(doing, "PUT", path, {{"op", "SETPERMISSION"}, {"permission", fmt::format("{:o}", mode)}}));
  return changed.ok() ? Status() : hdfs_refused(doing, changed);
}

Status WebHdfs::rename(std::string_view doing, const std::string& from, const std::string& to, bool replace) {
  KIST_TRY_ASSIGN(const auto answer,
                  ask(doing, "PUT", from,
                      {{"op", "RENAME"}, {"destination", to}, {"renameoptions", replace ? "OVERWRITE" : "NONE"}}));
  if (answer.ok()) return {};
  auto failed = hdfs_refused(doing, answer);
  if (!replace && exception_of(answer).name == "FileAlreadyExistsException")
    return fail(ErrorKind::conflict,
                fmt::format("cannot {}: it exists already. 'force: true' lets it be replaced", doing));
  return failed;
}

Status WebHdfs::write(const std::string& path, const net::Body& body, unsigned mode, bool replace) {
  const std::string doing = "send " + address(path);
  // Seen only when it is whole; and a request that has to be repeated harms nobody.
  const std::string partial = path.substr(0, path.rfind('/') + 1) + random_name();
  auto written = create(partial, body, mode);
  if (written) {
    written = rename(doing, partial, path, replace);
    // The answer to a rename that was done may have been lost, and then it cannot be done again.
    if (!written && written.error().kind == ErrorKind::not_found) {
      const auto there = status(path);
      if (there && there->is_file && there->length == body.length()) return {};
    }
  }
  if (!written) {
    for (const NameNode& node : name_nodes_) node.web.take_back();
    (void)remove(partial);
  }
  return written;
}

Status WebHdfs::make_directory(const std::string& path, unsigned mode) {
  const std::string doing = "make " + address(path);
  KIST_TRY_ASSIGN(const Json value,
                  ask_json(doing, "PUT", path, {{"op", "MKDIRS"}, {"permission", fmt::format("{:o}", mode)}}));
  if (value.value("boolean", Json()) == Json(true)) return {};
  return fail(ErrorKind::io, fmt::format("cannot {}: the server does not do it", doing));
}

Result<bool> WebHdfs::remove(const std::string& path) {
  const std::string doing = "remove " + address(path);
  KIST_TRY_ASSIGN(const auto answer, ask(doing, "DELETE", path, {{"op", "DELETE"}, {"recursive", "false"}}));
  if (answer.ok()) {
    const auto parsed = parse_json(answer.text);
    return parsed && parsed->is_object() && parsed->value("boolean", Json()) == Json(true);
  }
  const std::string exception = exception_of(answer).name;
  if (exception == "PathIsNotEmptyDirectoryException" || exception == "ParentNotDirectoryException" ||
      exception == "FileNotFoundException")
    return false;
  return hdfs_refused(doing, answer);
}

}  // namespace kist::location
