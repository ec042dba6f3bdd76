#include "store/frame.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <new>

#include <fmt/format.h>
#include <lz4.h>
#define ZSTD_STATIC_LINKING_ONLY  // for the way of literals, which is not part of the stable interface
#include <zstd.h>

namespace kist::store {
namespace {

struct Free {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

constexpr std::size_t kWorthTrying = 64;    // below this no frame of zstd pays for its header
constexpr std::byte kLz4Mark{'L'};          // before a block of LZ4; a frame of zstd begins with 28 hexadecimal
constexpr int kLz4Acceleration = 4;         // longer steps where nothing is found
constexpr std::size_t kLz4Most = 255;       // bytes that one of a block of LZ4 can stand for
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

const char* characters(const std::byte* bytes) {
  return reinterpret_cast<const char*>(bytes);
}

// Both: the length of what is in `room` then; 0 where it does not fit.
std::size_t compress_zstd(ByteSpan chunk, std::span<std::byte> room) {
  thread_local const std::unique_ptr<ZSTD_CCtx, Free> context = compressor();
  const std::size_t length = ZSTD_compress2(context.get(), room.data(), room.size(), chunk.data(), chunk.size());
  return ZSTD_isError(length) ? 0 : length;
}

std::size_t compress_lz4(ByteSpan chunk, std::span<std::byte> room) {
  room[0] = kLz4Mark;
  const int length =
      LZ4_compress_fast(characters(chunk.data()), reinterpret_cast<char*>(room.data() + 1),
                        static_cast<int>(chunk.size()), static_cast<int>(room.size() - 1), kLz4Acceleration);
  return length > 0 ? static_cast<std::size_t>(length) + 1 : 0;
}

// Both: the length comes from a file, so they believe it only where the frame allows it, before memory is taken for it.
Status decode_zstd(ByteSpan frame, std::size_t length, Bytes& out) {
  thread_local std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  if (!context) throw std::bad_alloc();
  if (ZSTD_getFrameContentSize(frame.data(), frame.size()) != length)
    return fail(ErrorKind::corrupt, fmt::format("not a frame of {} bytes", length));
  out.resize(length);
  std::size_t written = ZSTD_decompressDCtx(context.get(), out.data(), length, frame.data(), frame.size());
  if (ZSTD_isError(written))
    return fail(ErrorKind::corrupt, fmt::format("damaged frame: {}", ZSTD_getErrorName(written)));
  if (written != length)
    return fail(ErrorKind::corrupt, fmt::format("a frame of {} bytes, {} expected", written, length));
  return {};
}

Status decode_lz4(ByteSpan frame, std::size_t length, Bytes& out) {
  if (length > kLargestObject || length / kLz4Most > frame.size())
    return fail(ErrorKind::corrupt, fmt::format("not a frame of {} bytes", length));
  out.resize(length);
  const int written = LZ4_decompress_safe(characters(frame.data() + 1), reinterpret_cast<char*>(out.data()),
                                          static_cast<int>(frame.size()) - 1, static_cast<int>(length));
  if (written < 0) return fail(ErrorKind::corrupt, "damaged frame: not a block of LZ4");
  if (static_cast<std::size_t>(written) != length)
    return fail(ErrorKind::corrupt, fmt::format("a frame of {} bytes, {} expected", written, length));
  return {};
}

}  // namespace

std::size_t compress_frame(ByteSpan chunk, Codec codec, Bytes& out) {
  if (chunk.size() < kWorthTrying || looks_like_noise(chunk)) return 0;
  const std::size_t most = chunk.size() - chunk.size() / 16;
  thread_local std::unique_ptr<std::byte[]> room;
  thread_local std::size_t room_size = 0;
  if (room_size < most) {
    room = std::make_unique_for_overwrite<std::byte[]>(most);
    room_size = most;
  }
  // Too little room is their own way to give up early.
  const std::span there(room.get(), most);
  std::size_t length = 0;
  if (codec == Codec::lz4) length = compress_lz4(chunk, there.first(chunk.size() - chunk.size() / 4));
  if (length == 0) length = compress_zstd(chunk, there);
  out.insert(out.end(), room.get(), room.get() + length);
  if (room_size > kRoomKept) {
    room.reset();
    room_size = 0;
  }
  return length;
}

Codec codec_of(ByteSpan frame, std::size_t length) {
  return frame.size() < length && !frame.empty() && frame.front() == kLz4Mark ? Codec::lz4 : Codec::zstd;
}

Status decode_frame(ByteSpan frame, std::size_t length, Bytes& out) {
  if (frame.size() == length) {
    out.assign(frame.begin(), frame.end());
    return {};
  }
  if (frame.size() > length || frame.empty())
    return fail(ErrorKind::corrupt, fmt::format("not a frame of {} bytes", length));
  return codec_of(frame, length) == Codec::lz4 ? decode_lz4(frame, length, out) : decode_zstd(frame, length, out);
}

}  // namespace kist::store
