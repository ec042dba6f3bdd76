#include "store/remote_chunks.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "store/frame.hpp"

namespace kist::store {
namespace {
constexpr std::uint64_t kWindow = 1 << 20;
constexpr std::size_t kWindows = 32;
}  // namespace

Status RemoteChunks::read(const Digest& id, Bytes& out) {
  if (local_.contains(*local_.index(), id)) return local_.read(id, out);
  auto place = RemoteIndex::find(*index_.set(), id);
  if (!place) {
    KIST_TRY(index_.refresh());
    place = RemoteIndex::find(*index_.set(), id);
  }
  if (!place)
    return fail(ErrorKind::not_found, fmt::format("{} is not on the remote {}", id.to_string(), objects_.address()));
  auto damaged = [&](std::string_view what) {
    return fail(ErrorKind::corrupt, fmt::format("{}/{}, byte {}: {}", objects_.address(),
                                                pack_object(place->container.name), place->offset, what));
  };
  if (place->stored > place->length || place->length > kLargestObject)
    return damaged("impossible lengths in its index");
  auto window = kept(*place);
  if (!window) {
    KIST_TRY_ASSIGN(window, fetch(*place));
  }
  if (place->offset - window->begin + place->stored > window->bytes.size()) return damaged("it ends too early");
  const ByteSpan frame =
      ByteSpan(window->bytes).subspan(static_cast<std::size_t>(place->offset - window->begin), place->stored);
  if (place->stored == place->length)
    out.assign(frame.begin(), frame.end());
  else if (auto decoded = decode_frame(frame, place->length, out); !decoded)
    return damaged(decoded.error().text);
  if (sha256(out) != id) return damaged(fmt::format("the bytes there are not chunk {}", id.hex()));
  return {};
}

std::shared_ptr<const RemoteChunks::Window> RemoteChunks::kept(const RemotePlace& place) {
  std::lock_guard lock(mutex_);
  auto found = std::ranges::find_if(windows_, [&](const auto& window) {
    return window->pack == place.container.name && window->begin <= place.offset &&
           place.offset + place.stored <= window->begin + window->bytes.size();
  });
  if (found == windows_.end()) return nullptr;
  windows_.splice(windows_.begin(), windows_, found);
  return windows_.front();
}

Result<std::shared_ptr<const RemoteChunks::Window>> RemoteChunks::fetch(const RemotePlace& place) {
  auto window = std::make_shared<Window>();
  window->pack = place.container.name;
  window->begin = place.offset;
  window->bytes.reserve(std::max<std::uint64_t>(place.stored, kWindow));
  KIST_TRY(objects_.get(
      pack_object(place.container.name),
      [&](std::span<const std::byte> bytes) -> Status {
        window->bytes.insert(window->bytes.end(), bytes.begin(), bytes.end());
        return {};
      },
      place.offset, std::max<std::uint64_t>(place.stored, kWindow)));
  // A large object is not worth the place of many windows.
  if (window->bytes.size() <= kWindow) {
    std::lock_guard lock(mutex_);
    windows_.push_front(window);
    if (windows_.size() > kWindows) windows_.pop_back();
  }
  return window;
}

}  // namespace kist::store
