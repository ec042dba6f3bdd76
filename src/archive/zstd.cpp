#include "archive/zstd.hpp"

#include <algorithm>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <zstd.h>

namespace kist::archive {
namespace {

constexpr int kUsualZstdLevel = 3;
constexpr int kHighestLevel = 19;
constexpr unsigned kMostThreads = 4;
// What one thread compresses at once: fixed, as the result depends on it, and small, as each thread holds some.
constexpr int kJobSize = 4 << 20;

}  // namespace

struct ZstdWriter::State {
  State() : context(ZSTD_createCCtx()), output(ZSTD_CStreamOutSize()) {}
  ~State() { ZSTD_freeCCtx(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  ZSTD_CCtx* context;
  std::vector<std::byte> output;
};

ZstdWriter::ZstdWriter(Sink sink, std::unique_ptr<State> state) : sink_(std::move(sink)), state_(std::move(state)) {}
ZstdWriter::~ZstdWriter() = default;
ZstdWriter::ZstdWriter(ZstdWriter&&) noexcept = default;
ZstdWriter& ZstdWriter::operator=(ZstdWriter&&) noexcept = default;

Result<ZstdWriter> ZstdWriter::make(Sink sink, Level level) {
  if (level == kUsualLevel) level = kUsualZstdLevel;
  if (level < 1 || level > kHighestLevel)
    return fail(ErrorKind::invalid,
                fmt::format("compression level {}: expected 1 (fastest) to {} (smallest)", level, kHighestLevel));
  auto state = std::make_unique<State>();
  if (state->context == nullptr) return fail(ErrorKind::io, "cannot compress: no memory");
  const int threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads));
  ZSTD_CCtx_setParameter(state->context, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(state->context, ZSTD_c_checksumFlag, 1);
  // Even one worker cuts the content into jobs; a library without threads does not know these, and cuts nothing.
  ZSTD_CCtx_setParameter(state->context, ZSTD_c_nbWorkers, threads);
  ZSTD_CCtx_setParameter(state->context, ZSTD_c_jobSize, kJobSize);
  return ZstdWriter(std::move(sink), std::move(state));
}

Status ZstdWriter::write(std::span<const std::byte> bytes) {
  return compress(bytes, false);
}

Status ZstdWriter::finish() {
  return compress({}, true);
}

Status ZstdWriter::compress(std::span<const std::byte> bytes, bool last) {
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  while (true) {
    ZSTD_outBuffer output{state_->output.data(), state_->output.size(), 0};
    const std::size_t left =
        ZSTD_compressStream2(state_->context, &output, &input, last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left) != 0)
      return fail(ErrorKind::io, fmt::format("cannot compress: {}", ZSTD_getErrorName(left)));
    if (output.pos > 0) KIST_TRY(sink_(std::span(state_->output).first(output.pos)));
    if (last ? left == 0 : input.pos == input.size) return {};
  }
}

}  // namespace kist::archive
