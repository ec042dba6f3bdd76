#include "archive/gunzip.hpp"

#include <array>

#include <fmt/format.h>
#include <isa-l/igzip_lib.h>

namespace kist::archive {
namespace {

constexpr std::size_t kUnpackedAtOnce = 256 * 1024;
constexpr std::array kMagic{std::byte{0x1f}, std::byte{0x8b}};

}  // namespace

struct GzipReader::State {
  inflate_state inflate{};
  bool member_open = false;
  bool any_member = false;
  bool source_ended = false;
  std::array<std::byte, kUnpackedAtOnce> output{};
};

GzipReader::GzipReader(Source source) : source_(std::move(source)), state_(std::make_unique<State>()) {
  isal_inflate_init(&state_->inflate);
}
GzipReader::~GzipReader() = default;
GzipReader::GzipReader(GzipReader&&) noexcept = default;
GzipReader& GzipReader::operator=(GzipReader&&) noexcept = default;

// Sees to it that there is input. False at the end of the source.
Result<bool> GzipReader::fill() {
  inflate_state& inflate = state_->inflate;
  while (inflate.avail_in == 0 && !state_->source_ended) {
    KIST_TRY_ASSIGN(std::span<const std::byte> bytes, source_());
    state_->source_ended = bytes.empty();
    bytes_in_ += bytes.size();
    inflate.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(bytes.data()));
    inflate.avail_in = static_cast<std::uint32_t>(bytes.size());
  }
  return inflate.avail_in > 0;
}

// False where no member follows.
Result<bool> GzipReader::begin_member() {
  KIST_TRY_ASSIGN(bool more, fill());
  inflate_state& inflate = state_->inflate;
  if (!more || std::byte{*inflate.next_in} != kMagic[0]) return false;
  if (inflate.avail_in > 1 && std::byte{inflate.next_in[1]} != kMagic[1]) return false;
  if (state_->any_member) isal_inflate_reset(&inflate);
  inflate.crc_flag = ISAL_GZIP;
  state_->member_open = state_->any_member = true;
  return true;
}

Result<std::span<const std::byte>> GzipReader::next() {
  inflate_state& inflate = state_->inflate;
  while (true) {
    if (!state_->member_open) {
      KIST_TRY_ASSIGN(bool begun, begin_member());
      if (!begun && !state_->any_member) return fail(ErrorKind::invalid, "not gzip");
      if (!begun) return std::span<const std::byte>();
    }
    KIST_TRY_ASSIGN(bool more, fill());
    inflate.next_out = reinterpret_cast<std::uint8_t*>(state_->output.data());
    inflate.avail_out = static_cast<std::uint32_t>(state_->output.size());
    int status = isal_inflate(&inflate);
    if (status == ISAL_INCORRECT_CHECKSUM)
      return fail(ErrorKind::invalid, "damaged gzip: its checksum does not fit its content");
    if (status != ISAL_DECOMP_OK && status != ISAL_END_INPUT)
      return fail(ErrorKind::invalid, fmt::format("damaged gzip: ISA-L error {}", status));
    if (inflate.block_state == ISAL_BLOCK_FINISH) state_->member_open = false;
    auto output = std::span<const std::byte>(state_->output).first(state_->output.size() - inflate.avail_out);
    if (!output.empty()) return output;
    if (!more && state_->member_open) return fail(ErrorKind::invalid, "cut off in the middle: the gzip has no end");
  }
}

bool begins_as_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), bytes.begin());
}

}  // namespace kist::archive
