#include "store/frame.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <new>

#include <fmt/format.h>
#define ZSTD_STATIC_LINKING_ONLY  // for the way of literals, which is not part of the stable interface
#include <zstd.h>

namespace kist::store {
namespace {

struct Free {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

constexpr std::size_t kWorthTrying = 64;    // below this no frame of zstd pays for its header
constexpr std::size_t kRoomKept = 1 << 20;  // a thread keeps this much between calls

// zstd's level 1 with two changes for chunks of some KiB, for each of which it would clear a table of 128 KiB: a table
// that stays near the processor, and a longer step to the next try where nothing was found. An eighth faster, a
// fiftieth larger.
struct Parameter {
  ZSTD_cParameter name;
  int value;
};
constexpr std::array kParameters = {
    Parameter{ZSTD_c_compressionLevel, 1},
    Parameter{ZSTD_c_strategy, ZSTD_fast},
    Parameter{ZSTD_c_hashLog, 13},
    Parameter{ZSTD_c_minMatch, 6},
    Parameter{ZSTD_c_targetLength, 2},
    Parameter{ZSTD_c_literalCompressionMode, ZSTD_ps_enable},  // with a target length it would not compress them
};

std::unique_ptr<ZSTD_CCtx, Free> compressor() {
  std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  if (!context) throw std::bad_alloc();
  for (const auto& [name, value] : kParameters) ZSTD_CCtx_setParameter(context.get(), name, value);
  return context;
}

// Whether the values of the bytes are spread as evenly as those of noise, as in what is compressed or encrypted
// already: zstd would look through all of it to find nothing. The sum of the squared counts of a sample of noise is the
// chance that two bytes are equal; text has three times of it and more, numbers twice.
bool looks_like_noise(ByteSpan chunk) {
  constexpr std::size_t kPieces = 4;
  constexpr std::size_t kPiece = 256;
  constexpr std::size_t kSample = kPieces * kPiece;
  constexpr std::uint32_t kExpected = kSample + kSample * (kSample - 1) / 256;
  constexpr std::uint32_t kDeviation = 90;  // the standard one
  if (chunk.size() < 2 * kSample) return false;
  std::array<std::array<std::uint16_t, 256>, kPieces> counts{};  // of each piece: they do not wait for each other
  const std::size_t apart = (chunk.size() - kPiece) / (kPieces - 1);
  for (std::size_t at = 0; at < kPiece; ++at)
    for (std::size_t piece = 0; piece < kPieces; ++piece)
      ++counts[piece][std::to_integer<std::size_t>(chunk[piece * apart + at])];
  std::uint32_t sum = 0;
  for (std::size_t value = 0; value < 256; ++value) {
    std::uint32_t count = 0;
    for (const auto& each : counts) count += each[value];
    sum += count * count;
  }
  return sum < kExpected + 5 * kDeviation;
}

}  // namespace

std::size_t compress_frame(ByteSpan chunk, Bytes& out) {
  if (chunk.size() < kWorthTrying || looks_like_noise(chunk)) return 0;
  thread_local const std::unique_ptr<ZSTD_CCtx, Free> context = compressor();
  const std::size_t most = chunk.size() - chunk.size() / 16;
  thread_local std::unique_ptr<std::byte[]> room;
  thread_local std::size_t room_size = 0;
  if (room_size < most) {
    room = std::make_unique_for_overwrite<std::byte[]>(most);
    room_size = most;
  }
  // Too little room is zstd's own way to give up early.
  std::size_t length = ZSTD_compress2(context.get(), room.get(), most, chunk.data(), chunk.size());
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
