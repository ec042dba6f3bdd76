#include "store/frame.hpp"

#include <memory>
#include <new>

#include <fmt/format.h>
#include <zstd.h>

namespace kist::store {
namespace {

struct Free {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

constexpr int kLevel = 1;
constexpr std::size_t kWorthTrying = 64;    // below this no frame of zstd pays for its header
constexpr std::size_t kRoomKept = 1 << 20;  // a thread keeps this much between calls

}  // namespace

std::size_t compress_frame(ByteSpan chunk, Bytes& out) {
  if (chunk.size() < kWorthTrying) return 0;
  thread_local std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  if (!context) throw std::bad_alloc();
  const std::size_t most = chunk.size() - chunk.size() / 16;
  thread_local std::unique_ptr<std::byte[]> room;
  thread_local std::size_t room_size = 0;
  if (room_size < most) {
    room = std::make_unique_for_overwrite<std::byte[]>(most);
    room_size = most;
  }
  // Too little room is zstd's own way to give up early.
  std::size_t length = ZSTD_compressCCtx(context.get(), room.get(), most, chunk.data(), chunk.size(), kLevel);
  if (ZSTD_isError(length)) return 0;
  out.insert(out.end(), room.get(), room.get() + length);
  if (room_size > kRoomKept) {
    room.reset();
    room_size = 0;
  }
  return length;
}

Status decode_frame(ByteSpan frame, std::size_t length, Bytes& out) {
  if (frame.size() == length) {
    out.assign(frame.begin(), frame.end());
    return {};
  }
  thread_local std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  if (!context) throw std::bad_alloc();
  // The length comes from a file: believe it only where the frame itself says the same, before memory is taken for it.
  if (frame.size() > length || ZSTD_getFrameContentSize(frame.data(), frame.size()) != length)
    return fail(ErrorKind::corrupt, fmt::format("not a frame of {} bytes", length));
  out.resize(length);
  std::size_t written = ZSTD_decompressDCtx(context.get(), out.data(), length, frame.data(), frame.size());
  if (ZSTD_isError(written))
    return fail(ErrorKind::corrupt, fmt::format("damaged frame: {}", ZSTD_getErrorName(written)));
  if (written != length)
    return fail(ErrorKind::corrupt, fmt::format("a frame of {} bytes, {} expected", written, length));
  return {};
}

}  // namespace kist::store
