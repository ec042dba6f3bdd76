// ISA-L compresses; level 0, which it does not have, is written here as stored blocks. Checksum and lengths are counted
// here too, for the zip's descriptors and the gzip's trailer alike.
#include "archive/deflate.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

namespace kist::archive {
namespace {

constexpr std::size_t kDeflatedAtOnce = 64 * 1024;
// A stored block's length has 16 bits.
constexpr std::size_t kStoredBlock = 65535;
// More than ISA-L is given at once: its counters have 32 bits.
constexpr std::size_t kInputAtOnce = 1U << 30;

int isal_level(Level level) {
  if (level == kUsualLevel) return 2;
  return level <= 1 ? 0 : level <= 3 ? 1 : level <= 6 ? 2 : 3;
}

std::size_t level_buffer_size(int level) {
  constexpr std::array<std::size_t, 4> sizes{ISAL_DEF_LVL0_DEFAULT, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT,
                                             ISAL_DEF_LVL3_DEFAULT};
  return sizes[static_cast<std::size_t>(level)];
}

template <typename Unsigned>
void put_little_endian(std::byte* at, Unsigned value) {
  for (std::size_t i = 0; i < sizeof value; ++i) at[i] = static_cast<std::byte>(value >> (8 * i));
}

}  // namespace

std::uint32_t crc32(std::uint32_t so_far, std::span<const std::byte> bytes) {
  return crc32_gzip_refl(so_far, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

struct Deflater::State {
  bool stored = false;               // level 0
  std::vector<std::byte> waiting;    // stored: the block that is not full yet
  isal_zstream stream{};             // otherwise
  std::vector<std::uint8_t> memory;  // what ISA-L works in
  std::array<std::uint8_t, kDeflatedAtOnce> output{};
};

Deflater::Deflater(Sink sink, std::unique_ptr<State> state) : sink_(std::move(sink)), state_(std::move(state)) {}
Deflater::~Deflater() = default;
Deflater::Deflater(Deflater&&) noexcept = default;
Deflater& Deflater::operator=(Deflater&&) noexcept = default;

Result<Deflater> Deflater::make(Sink sink, Level level) {
  if (level < -1 || level > 9)
    return fail(ErrorKind::invalid, fmt::format("compression level {}: expected 0 (none) to 9 (smallest)", level));
  auto state = std::make_unique<State>();
  if (level == 0) {
    state->stored = true;
    state->waiting.reserve(kStoredBlock);
  } else {
    int own_level = isal_level(level);
    state->memory.resize(level_buffer_size(own_level));
    isal_deflate_init(&state->stream);
    state->stream.level = static_cast<std::uint32_t>(own_level);
    state->stream.level_buf = state->memory.data();
    state->stream.level_buf_size = static_cast<std::uint32_t>(state->memory.size());
  }
  return Deflater(std::move(sink), std::move(state));
}

Status Deflater::write(std::span<const std::byte> bytes) {
  begin_if_ended();
  crc_ = archive::crc32(crc_, bytes);
  bytes_in_ += bytes.size();
  return state_->stored ? store(bytes) : compress(bytes, false);
}

Status Deflater::finish() {
  begin_if_ended();
  ended_ = true;
  return state_->stored ? store_block(true) : compress({}, true);
}

void Deflater::begin_if_ended() {
  if (!ended_) return;
  ended_ = false;
  crc_ = 0;
  bytes_in_ = bytes_out_ = 0;
  if (!state_->stored) isal_deflate_reset(&state_->stream);
}

Status Deflater::store(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    std::size_t count = std::min(bytes.size(), kStoredBlock - state_->waiting.size());
    state_->waiting.insert(state_->waiting.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
    bytes = bytes.subspan(count);
    if (state_->waiting.size() == kStoredBlock) KIST_TRY(store_block(false));
  }
  return {};
}

Status Deflater::store_block(bool last) {
  std::array<std::byte, 5> header{};
  auto length = static_cast<std::uint16_t>(state_->waiting.size());
  header[0] = static_cast<std::byte>(last ? 1 : 0);
  put_little_endian(&header[1], length);
  put_little_endian(&header[3], static_cast<std::uint16_t>(~length));
  KIST_TRY(put(header));
  KIST_TRY(put(state_->waiting));
  state_->waiting.clear();
  return {};
}

Status Deflater::compress(std::span<const std::byte> bytes, bool last) {
  isal_zstream& stream = state_->stream;
  do {
    std::span<const std::byte> now = bytes.first(std::min(bytes.size(), kInputAtOnce));
    bytes = bytes.subspan(now.size());
    stream.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(now.data()));
    stream.avail_in = static_cast<std::uint32_t>(now.size());
    stream.end_of_stream = last ? 1 : 0;
    do {
      stream.next_out = state_->output.data();
      stream.avail_out = static_cast<std::uint32_t>(state_->output.size());
      if (int error = isal_deflate(&stream); error != COMP_OK)
        return fail(ErrorKind::io, fmt::format("cannot compress: ISA-L error {}", error));
      KIST_TRY(put(std::as_bytes(std::span(state_->output).first(state_->output.size() - stream.avail_out))));
    } while (stream.avail_in > 0 || stream.avail_out == 0 || (last && stream.internal_state.state != ZSTATE_END));
  } while (!bytes.empty());
  return {};
}

Status Deflater::put(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  bytes_out_ += bytes.size();
  return sink_(bytes);
}

Result<GzipWriter> GzipWriter::make(Sink sink, Level level) {
  KIST_TRY_ASSIGN(Deflater deflater, Deflater::make(sink, level));
  return GzipWriter(std::move(sink), std::move(deflater));
}

Status GzipWriter::begin() {
  begun_ = true;
  constexpr std::array<unsigned char, 10> header{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
  return sink_(std::as_bytes(std::span(header)));
}

Status GzipWriter::write(std::span<const std::byte> bytes) {
  if (!begun_) KIST_TRY(begin());
  return deflater_.write(bytes);
}

Status GzipWriter::finish() {
  if (!begun_) KIST_TRY(begin());
  KIST_TRY(deflater_.finish());
  std::array<std::byte, 8> trailer{};
  put_little_endian(&trailer[0], deflater_.crc32());
  put_little_endian(&trailer[4], static_cast<std::uint32_t>(deflater_.bytes_in()));
  return sink_(trailer);
}

}  // namespace kist::archive
