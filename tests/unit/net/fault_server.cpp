#include "net/fault_server.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/digest.hpp"

namespace kist::net {
namespace {

std::string hex(const unsigned char* bytes, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

bool send_all(int connection, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool receive(int connection, std::string& buffer) {
  std::array<char, 65536> piece{};
  const ssize_t count = ::recv(connection, piece.data(), piece.size(), 0);
  if (count <= 0) return false;
  buffer.append(piece.data(), static_cast<std::size_t>(count));
  return true;
}

void reset(int connection) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace

bool ServedRequest::asks(std::string_view name) const {
  const auto query = target.find('?');
  if (query == std::string::npos) return false;
  const std::string all = "&" + target.substr(query + 1) + "&";
  return all.contains("&" + std::string(name) + "=") || all.contains("&" + std::string(name) + "&");
}

std::string ServedRequest::parameter(std::string_view name) const {
  const auto query = target.find('?');
  if (query == std::string::npos) return {};
  const std::string all = "&" + target.substr(query + 1) + "&";
  const std::string key = "&" + std::string(name) + "=";
  const auto at = all.find(key);
  if (at == std::string::npos) return {};
  return all.substr(at + key.size(), all.find('&', at + 1) - at - key.size());
}

FaultServer::FaultServer() {
  listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listening_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listening_, 64) != 0 ||
      ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("the fault server cannot listen");
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] { accept(); });
}

FaultServer::~FaultServer() {
  stopping_ = true;
  ::shutdown(listening_, SHUT_RDWR);
  accepting_.join();
  ::close(listening_);
  std::vector<std::thread> serving;
  {
    std::lock_guard lock(mutex_);
    for (const int connection : connections_) ::shutdown(connection, SHUT_RDWR);
    serving.swap(serving_);
  }
  for (std::thread& each : serving) each.join();
}

std::string FaultServer::endpoint() const {
  return fmt::format("http://127.0.0.1:{}", port_);
}

std::size_t FaultServer::count(std::string_view method, std::string_view target_part) const {
  std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(requests_, [&](const ServedRequest& each) {
    return each.method == method && each.target.contains(target_part);
  }));
}

void FaultServer::accept() {
  while (!stopping_) {
    const int connection = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    std::lock_guard lock(mutex_);
    connections_.push_back(connection);
    serving_.emplace_back([this, connection] { serve(connection); });
  }
}

void FaultServer::serve(int connection) {
  std::string buffer;
  while (!stopping_ && serve_one(connection, buffer)) {
  }
  std::lock_guard lock(mutex_);
  std::erase(connections_, connection);
  ::close(connection);
}

std::string FaultServer::date() const {
  const time_t at = ::time(nullptr) + clock_offset;
  std::tm parts{};
  ::gmtime_r(&at, &parts);
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

std::string FaultServer::etag_of(const std::string& bytes) const {
  std::array<unsigned char, 16> value{};
  std::size_t size = value.size();
  ::EVP_Q_digest(nullptr, "MD5", nullptr, bytes.data(), bytes.size(), value.data(), &size);
  return (own_etags ? "own-" : "") + hex(value.data(), size);
}

FaultServer::Reply FaultServer::error(int status, const std::string& code, std::string more) {
  return {.status = status,
          .body = fmt::format("<?xml version=\"1.0\"?>\n<Error><Code>{}</Code><Message>so it is</Message>{}</Error>",
                              code, more)};
}

// True while the connection can go on.
bool FaultServer::serve_one(int connection, std::string& buffer) {
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos)
    if (!receive(connection, buffer)) return false;
  ServedRequest request;
  std::string_view head = std::string_view(buffer).substr(0, end);
  const auto line = head.substr(0, head.find("\r\n"));
  request.method = line.substr(0, line.find(' '));
  request.target = line.substr(line.find(' ') + 1, line.rfind(' ') - line.find(' ') - 1);
  for (auto rest = head.substr(std::min(head.size(), line.size() + 2)); !rest.empty();) {
    const auto one = rest.substr(0, rest.find("\r\n"));
    rest = rest.substr(std::min(rest.size(), one.size() + 2));
    std::string name(one.substr(0, one.find(':')));
    std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    request.headers[name] = one.substr(std::min(one.size(), one.find(':') + 2));
  }
  buffer.erase(0, end + 4);
  Fault fault;
  std::size_t index = 0;
  {
    std::lock_guard lock(mutex_);
    const auto found = std::ranges::find_if(faults_, [&](const Fault& each) {
      return (each.method.empty() || each.method == request.method) && request.target.contains(each.target_part);
    });
    if (found != faults_.end()) {
      fault = *found;
      faults_.erase(found);
    }
    index = requests_.size();
    requests_.push_back(request);
  }
  if (request.header("expect") == "100-continue") send_all(connection, "HTTP/1.1 100 Continue\r\n\r\n");
  const std::string length = request.header("content-length");
  std::size_t size = length.empty() ? 0 : std::stoull(length);
  if (fault.reset_after_body) size = std::min(size, *fault.reset_after_body);
  while (buffer.size() < size)
    if (!receive(connection, buffer)) return false;
  request.body = buffer.substr(0, size);
  buffer.erase(0, size);
  {
    std::lock_guard lock(mutex_);
    requests_[index].body = request.body;
  }
  if (fault.reset_after_body) {
    reset(connection);
    return false;
  }
  if (fault.hang) {
    while (receive(connection, buffer)) {
    }
    return false;
  }
  Reply reply;
  if (fault.status != 0) {
    reply = error(fault.status, fault.code);
    if (!fault.body.empty()) reply.body = fault.body;
  } else if (auto refused = refusal(request)) {
    reply = *refused;
  } else {
    std::lock_guard lock(mutex_);
    reply = answer(request, fault.store_damaged);
  }
  for (const auto& [name, value] : fault.headers) reply.headers[name] = value;
  if (fault.lose_answer) {
    reset(connection);
    return false;
  }
  std::string text = fmt::format("HTTP/1.1 {} So\r\nDate: {}\r\n", reply.status, date());
  reply.headers.try_emplace("Content-Length", fmt::to_string(reply.body.size()));
  for (const auto& [name, value] : reply.headers) text += name + ": " + value + "\r\n";
  text += "\r\n";
  if (request.method != "HEAD") text += reply.body.substr(0, fault.cut_answer_at.value_or(reply.body.size()));
  return send_all(connection, text) && !fault.cut_answer_at;
}

// What a server looks at before it does anything: the region and time of the signature, and the digest of the body.
std::optional<FaultServer::Reply> FaultServer::refusal(const ServedRequest& request) const {
  if (open) return std::nullopt;
  const std::string authorization = request.header("authorization");
  if (authorization.empty()) return error(403, "AccessDenied");
  const auto scope = authorization.find("/s3/aws4_request");
  const auto begin = authorization.rfind('/', scope - 1) + 1;
  if (authorization.substr(begin, scope - begin) != region)
    return error(400, "AuthorizationHeaderMalformed", "<Region>" + region + "</Region>");
  std::tm parts{};
  ::strptime(request.header("x-amz-date").c_str(), "%Y%m%dT%H%M%SZ", &parts);
  if (std::abs(::timegm(&parts) - (::time(nullptr) + clock_offset)) > 900) return error(403, "RequestTimeTooSkewed");
  if (sha256(request.body).hex() != request.header("x-amz-content-sha256"))
    return error(400, "XAmzContentSHA256Mismatch");
  return std::nullopt;
}

FaultServer::Reply FaultServer::answer(const ServedRequest& request, bool damaged) {
  const std::string path = request.path();
  const auto there = objects_.find(path);
  auto stored = [&](std::string bytes) -> Reply {
    if (!ignores_conditions) {
      if (request.header("if-none-match") == "*" && there != objects_.end()) return error(412, "PreconditionFailed");
      const std::string expected = request.header("if-match");
      if (!expected.empty()) {
        if (there == objects_.end()) return error(404, "NoSuchKey");
        const std::string etag = etag_of(there->second);
        if (expected != (wants_unquoted_etags ? etag : "\"" + etag + "\"")) return error(412, "PreconditionFailed");
      }
    }
    if (damaged) bytes += "damage";
    const std::string etag = "\"" + etag_of(bytes) + "\"";
    objects_[path] = std::move(bytes);
    return {.status = 200, .headers = {{"ETag", etag}}};
  };
  if (request.method == "POST" && request.asks("uploads")) {
    const std::string id = fmt::format("upload{}", uploads_.size() + 1);
    uploads_[id] = {.path = path, .parts = {}};
    return {.body = "<InitiateMultipartUploadResult><UploadId>" + id + "</UploadId></InitiateMultipartUploadResult>"};
  }
  if (request.method == "GET" && request.asks("uploads")) {
    std::string list;
    for (const auto& [id, upload] : uploads_)
      list += fmt::format("<Upload><Key>{}</Key><UploadId>{}</UploadId><Initiated>2026-01-01</Initiated></Upload>",
                          upload.path.substr(upload.path.find('/', 1) + 1), id);
    return {.body = "<ListMultipartUploadsResult>" + list + "</ListMultipartUploadsResult>"};
  }
  if (request.asks("uploadId")) {
    const auto upload = uploads_.find(request.parameter("uploadId"));
    if (upload == uploads_.end()) return error(404, "NoSuchUpload");
    auto& parts = upload->second.parts;
    if (request.method == "PUT") {
      std::string& part = parts[std::stoi(request.parameter("partNumber"))];
      part = request.body;
      return {.headers = {{"ETag", "\"" + etag_of(part) + "\""}}};
    }
    if (request.method == "GET") {
      std::string list;
      for (const auto& [number, bytes] : parts)
        list += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>\"{}\"</ETag><Size>{}</Size></Part>", number,
                            etag_of(bytes), bytes.size());
      return {.body = "<ListPartsResult>" + list + "</ListPartsResult>"};
    }
    if (request.method == "DELETE") {
      uploads_.erase(upload);
      return {.status = 204};
    }
    std::string whole;
    for (const auto& [number, bytes] : parts) {
      if (!request.body.contains(etag_of(bytes))) return error(400, "InvalidPart");
      whole += bytes;
    }
    Reply done = stored(std::move(whole));
    if (done.status != 200) return done;
    uploads_.erase(upload);
    return {.body = "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>"};
  }
  if (request.method == "PUT") return stored(request.body);
  if (request.method == "DELETE") {
    if (there != objects_.end()) objects_.erase(there);
    return {.status = 204};
  }
  if (request.asks("list-type")) {
    std::string list;
    const std::string root = path + "/";
    for (const auto& [name, bytes] : objects_)
      if (name.starts_with(root))
        list += fmt::format("<Contents><Key>{}</Key><Size>{}</Size><ETag>\"{}\"</ETag></Contents>",
                            name.substr(root.size()), bytes.size(), etag_of(bytes));
    return {.body = "<ListBucketResult>" + list + "<IsTruncated>false</IsTruncated></ListBucketResult>"};
  }
  if (there == objects_.end()) return error(404, "NoSuchKey");
  const std::string& bytes = there->second;
  Reply reply{.headers = {{"ETag", "\"" + etag_of(bytes) + "\""}}};
  const std::string range = request.header("range");
  if (range.empty()) {
    reply.body = bytes;
    if (request.method == "HEAD") reply.headers["Content-Length"] = fmt::to_string(bytes.size());
    return reply;
  }
  const std::size_t first = std::stoull(range.substr(6));
  if (first >= bytes.size()) return error(416, "InvalidRange");
  const auto dash = range.find('-') + 1;
  const std::size_t last = dash == range.size()
                               ? bytes.size() - 1
                               : std::min(bytes.size() - 1, std::size_t{std::stoull(range.substr(dash))});
  reply.status = 206;
  reply.headers["Content-Range"] = fmt::format("bytes {}-{}/{}", first, last, bytes.size());
  reply.body = bytes.substr(first, last - first + 1);
  return reply;
}

}  // namespace kist::net
