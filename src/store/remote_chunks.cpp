#include "store/remote_chunks.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "store/frame.hpp"

namespace kist::store {
namespace {
constexpr std::uint64_t kFetchedAtOnce = 1 << 20;
constexpr std::size_t kMostFetched = 32;
}  // namespace

Status RemoteChunks::read(const Digest& id, Bytes& out) {
  if (local_.contains(*local_.index(), id)) return local_.read(id, out);
  if (!RemoteIndex::contains(*index_.set(), id)) KIST_TRY(index_.refresh());
  // What is damaged in one pack may lie in another.
  Status damaged;
  std::vector<Digest> tried;
  const auto set = index_.set();
  while (auto place = RemoteIndex::find(*set, id, tried)) {
    auto read = read_at(*place, out);
    if (read || read.error().kind != ErrorKind::corrupt) return read;
    if (damaged) damaged = read;
    tried.push_back(place->container.name);
  }
  if (!damaged) return damaged;
  return fail(ErrorKind::not_found,
              fmt::format("{} is not on the remote {}: {}", id.to_string(), objects_.address(), index_.what_to_do()));
}

Status RemoteChunks::read_at(const RemotePlace& place, Bytes& out) {
  const IndexRecord& record = place.record;
  auto damaged = [&](std::string_view what) {
    return fail(ErrorKind::corrupt, fmt::format("{}/{}, byte {}: {}", objects_.address(),
                                                pack_object(place.container.name), record.offset, what));
  };
  if (record.stored > record.length || record.length > kLargestObject)
    return damaged("impossible lengths in its index");
  auto window = kept(place);
  if (!window) {
    auto fetched = fetch(place);
    if (!fetched && fetched.error().kind == ErrorKind::not_found) return damaged("the object is not there");
    if (!fetched) return std::unexpected(fetched.error());
    window = std::move(*fetched);
  }
  if (record.offset - window->begin + record.stored > window->bytes.size()) return damaged("it ends too early");
  const ByteSpan frame =
      ByteSpan(window->bytes).subspan(static_cast<std::size_t>(record.offset - window->begin), record.stored);
  if (record.stored == record.length)
    out.assign(frame.begin(), frame.end());
  else if (auto decoded = decode_frame(frame, record.length, out); !decoded)
    return damaged(decoded.error().text);
  if (sha256(out) != record.id) return damaged(fmt::format("the bytes there are not chunk {}", record.id.hex()));
  return {};
}

std::shared_ptr<const RemoteChunks::Window> RemoteChunks::kept(const RemotePlace& place) {
  std::lock_guard lock(mutex_);
  auto found = std::ranges::find_if(windows_, [&](const auto& window) {
    return window->pack == place.container.name && window->begin <= place.record.offset &&
           place.record.offset + place.record.stored <= window->begin + window->bytes.size();
  });
  if (found == windows_.end()) return nullptr;
  windows_.splice(windows_.begin(), windows_, found);
  return windows_.front();
}

Result<std::shared_ptr<const RemoteChunks::Window>> RemoteChunks::fetch(const RemotePlace& place) {
  auto window = std::make_shared<Window>();
  window->pack = place.container.name;
  window->begin = place.record.offset;
  const std::uint64_t length = std::max<std::uint64_t>(place.record.stored, kFetchedAtOnce);
  window->bytes.reserve(length);
  KIST_TRY(objects_.get(
      pack_object(place.container.name),
      [&](std::span<const std::byte> bytes) -> Status {
        window->bytes.insert(window->bytes.end(), bytes.begin(), bytes.end());
        return {};
      },
      place.record.offset, length));
  // A large object is not worth the place of many windows.
  if (window->bytes.size() <= kFetchedAtOnce) {
    std::lock_guard lock(mutex_);
    windows_.push_front(window);
    if (windows_.size() > kMostFetched) windows_.pop_back();
  }
  return window;
}

}  // namespace kist::store
