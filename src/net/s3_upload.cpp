// Large objects in parts: several on their way at once, and an upload that was broken off is gone on with.
//
// A part that is there already is believed if its ETag is the MD5 of what would be sent. Two processes that send the
// same object may come to share an upload; if their parts differ (the same chunks, compressed otherwise), the server
// refuses the list of parts at the end, since it names their ETags, and whoever is refused starts an upload of his own.
#include <algorithm>
#include <map>
#include <thread>

#include <fmt/format.h>

#include "net/header_values.hpp"
#include "net/md5.hpp"
#include "net/s3_request.hpp"

namespace kist::net {
namespace {

constexpr std::uint64_t kMostParts = 10'000;

std::uint64_t part_size_for(std::uint64_t size, std::uint64_t wanted) {
  const std::uint64_t least = (size + kMostParts - 1) / kMostParts;
  const std::uint64_t mebibyte = 1 << 20;
  return least <= wanted ? wanted : (least + mebibyte - 1) / mebibyte * mebibyte;
}

// The error of a settled upload that must not be left for a later attempt: nothing would go on with it.
bool is_final(ErrorKind kind) {
  return kind != ErrorKind::unavailable && kind != ErrorKind::not_found;
}

}  // namespace

Result<S3Upload> S3Client::create_upload(std::string_view key, const HttpHeaders& headers) {
  Request request{.doing = "begin to put", .method = "POST", .key = std::string(key)};
  request.of_content = true;
  request.query = {{"uploads", ""}};
  request.headers = headers;
  request.body = Body{};
  KIST_TRY_ASSIGN(auto answer, send(request));
  if (!answer.ok()) return refused(answer, request);
  auto parsed = parse_xml(answer.http.text);
  if (!parsed || parsed->text_of("UploadId").empty())
    return fail(ErrorKind::unavailable, fmt::format("the server gave no id for the upload of {}", address(key)));
  return S3Upload{.key = request.key, .id = std::string(parsed->text_of("UploadId")), .initiated = {}};
}

Result<S3Part> S3Client::put_part(const S3Upload& upload, unsigned part, const Body& body, const Moved& moved) {
  Request request{.doing = "put", .method = "PUT", .key = upload.key};
  request.of_content = true;
  request.query = {{"partNumber", fmt::to_string(part)}, {"uploadId", upload.id}};
  request.body = body;
  request.moved = moved;
  KIST_TRY_ASSIGN(auto answer, send(request));
  if (!answer.ok()) return refused(answer, request);
  S3Part done{.number = part, .size = body.length(), .etag = unquoted(answer.http.header("etag"))};
  if (done.etag.empty())
    return fail(ErrorKind::unavailable,
                fmt::format("the server gave no ETag for part {} of {}", part, address(upload.key)));
  return done;
}

Result<std::vector<S3Part>> S3Client::list_parts(const S3Upload& upload) {
  std::vector<S3Part> parts;
  std::string marker;
  for (;;) {
    Request request{.doing = "list the parts of", .method = "GET", .key = upload.key};
    request.query = {{"uploadId", upload.id}};
    if (!marker.empty()) request.query.emplace_back("part-number-marker", marker);
    KIST_TRY_ASSIGN(auto answer, send(request));
    if (!answer.ok()) return refused(answer, request);
    KIST_TRY_ASSIGN(const XmlElement listing, parse_xml(answer.http.text));
    for (const XmlElement& each : listing.elements)
      if (each.name == "Part")
        parts.push_back({.number = static_cast<unsigned>(number(each.text_of("PartNumber"))),
                         .size = number(each.text_of("Size")),
                         .etag = unquoted(each.text_of("ETag"))});
    const std::string next(listing.text_of("NextPartNumberMarker"));
    if (listing.text_of("IsTruncated") != "true" || next.empty() || next == marker) return parts;
    marker = next;
  }
}

Result<std::vector<S3Upload>> S3Client::list_uploads(std::string_view prefix) {
  std::vector<S3Upload> uploads;
  std::string key_marker;
  std::string id_marker;
  for (;;) {
    Request request{.doing = "list the uploads to", .method = "GET", .key = {}};
    request.query = {{"uploads", ""}, {"prefix", std::string(prefix)}};
    if (!key_marker.empty()) request.query.emplace_back("key-marker", key_marker);
    if (!id_marker.empty()) request.query.emplace_back("upload-id-marker", id_marker);
    KIST_TRY_ASSIGN(auto answer, send(request));
    if (!answer.ok()) return refused(answer, request);
    KIST_TRY_ASSIGN(const XmlElement listing, parse_xml(answer.http.text));
    for (const XmlElement& each : listing.elements)
      if (each.name == "Upload")
        uploads.push_back({.key = std::string(each.text_of("Key")),
                           .id = std::string(each.text_of("UploadId")),
                           .initiated = std::string(each.text_of("Initiated"))});
    std::string next_key(listing.text_of("NextKeyMarker"));
    std::string next_id(listing.text_of("NextUploadIdMarker"));
    if (listing.text_of("IsTruncated") != "true" || next_key.empty() ||
        (next_key == key_marker && next_id == id_marker))
      return uploads;
    key_marker = std::move(next_key);
    id_marker = std::move(next_id);
  }
}

Result<S3Object> S3Client::complete_upload(const S3Upload& upload, std::span<const S3Part> parts,
                                           const S3Condition& condition) {
  std::string document = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  std::uint64_t size = 0;
  for (const S3Part& part : parts) {
    document +=
        fmt::format("<Part><PartNumber>{}</PartNumber><ETag>\"{}\"</ETag></Part>", part.number, xml_escape(part.etag));
    size += part.size;
  }
  document += "</CompleteMultipartUpload>";
  Request request{.doing = "put", .method = "POST", .key = upload.key};
  request.query = {{"uploadId", upload.id}};
  request.headers = {{"content-type", "application/xml"}};
  request.body = text_body(document);
  request.error_in_success = true;
  KIST_TRY_ASSIGN(auto answer, send_conditional(request, condition));
  if (!answer.ok() && !(answer.doubtful && answer.code == "NoSuchUpload")) return refused(answer, request);
  // Where an earlier attempt did it already, the upload is gone and the object there: as is looked at in any case.
  KIST_TRY_ASSIGN(auto object, head(upload.key));
  if (object.size == size && (answer.ok() || object.etag.ends_with(fmt::format("-{}", parts.size())))) return object;
  if (!answer.ok()) return refused(answer, request);
  return fail(ErrorKind::corrupt,
              fmt::format("{} has {} bytes, but {} were sent", address(upload.key), object.size, size));
}

Status S3Client::abort_upload(const S3Upload& upload) {
  Request request{.doing = "end the upload of", .method = "DELETE", .key = upload.key};
  request.query = {{"uploadId", upload.id}};
  KIST_TRY_ASSIGN(auto answer, send(request));
  if (answer.ok() || answer.status() == 404) return {};
  return refused(answer, request);
}

Result<S3Object> S3Client::put_parts(std::string_view key, const Body& body, const S3PutOptions& options, bool resume) {
  if (options.condition.kind != S3Condition::Kind::none) {
    const auto there = head(key);
    if (!there && there.error().kind != ErrorKind::not_found) return std::unexpected(there.error());
    const bool holds =
        options.condition.kind == S3Condition::Kind::absent ? !there : there && there->etag == options.condition.etag;
    if (!holds)
      return fail(ErrorKind::conflict,
                  fmt::format("{} {}", address(key),
                              !there                                                ? "was removed meanwhile"
                              : options.condition.kind == S3Condition::Kind::absent ? "exists already"
                                                                                    : "was replaced meanwhile"));
  }
  S3Upload upload;
  std::map<unsigned, S3Part> there;
  if (resume) {
    // Who may put may not be allowed to list; then there is nothing to go on with.
    auto uploads = list_uploads(key);
    if (!uploads && uploads.error().kind == ErrorKind::unavailable) return std::unexpected(uploads.error());
    for (const S3Upload& each : uploads.value_or(std::vector<S3Upload>()))
      if (each.key == key && each.initiated >= upload.initiated) upload = each;
    if (!upload.id.empty()) {
      auto parts = list_parts(upload);
      if (!parts) upload = {};
      for (const S3Part& part : parts.value_or(std::vector<S3Part>())) there[part.number] = part;
    }
  }
  if (upload.id.empty()) {
    KIST_TRY_ASSIGN(upload, create_upload(key, options.headers));
  }

  const std::uint64_t size = part_size_for(body.length(), settings_.part_size);
  const auto count = static_cast<std::size_t>((body.length() + size - 1) / size);
  std::vector<S3Part> parts(count);
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::optional<Error> error;  // the first
  auto send_part = [&](std::size_t index) -> Status {
    const auto part = static_cast<unsigned>(index + 1);
    const Body piece = body.piece(index * size, std::min(size, body.length() - index * size));
    if (const auto found = there.find(part); found != there.end() && found->second.size == piece.length()) {
      KIST_TRY_ASSIGN(const std::string md5, md5_hex(piece));
      if (md5 == found->second.etag) {
        parts[index] = found->second;
        return {};
      }
    }
    KIST_TRY_ASSIGN(parts[index], put_part(upload, part, piece, options.moved));
    return {};
  };
  auto work = [&] {
    for (std::size_t index = next++; index < count; index = next++) {
      auto sent = send_part(index);
      if (sent) continue;
      std::lock_guard lock(mutex);
      if (!error) error = std::move(sent).error();
      next = count;
    }
  };
  {
    std::vector<std::jthread> workers;
    const std::size_t wanted = std::min<std::size_t>(std::max(settings_.parallel_parts, 1U), count);
    for (std::size_t i = 1; i < wanted; ++i) workers.emplace_back(work);
    work();
  }
  Result<S3Object> done =
      error ? Result<S3Object>(std::unexpected(std::move(*error))) : complete_upload(upload, parts, options.condition);
  if (!done && is_final(done.error().kind)) (void)abort_upload(upload);
  return done;
}

Result<S3Object> S3Client::put(std::string_view key, const Body& body, const S3PutOptions& options) {
  if (body.length() <= settings_.multipart_from) return put_whole(key, body, options);
  auto done = put_parts(key, body, options, true);
  // The upload was completed or ended by somebody else, or its parts are not ours.
  if (!done && done.error().kind == ErrorKind::not_found) return put_parts(key, body, options, false);
  return done;
}

}  // namespace kist::net
