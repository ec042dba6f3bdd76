// The rounds are those of FIPS 180-4, section 6.2.2, four at a time, as the instructions take them: the state as the
// words (a, b, e, f) and (c, d, g, h), the message as four vectors of four words.
#include "base/sha256_each.hpp"

#if defined(__x86_64__)
#include <algorithm>
#include <cstring>

#include <cpuid.h>
#include <immintrin.h>
#endif

namespace kist {
namespace {

void one_by_one(std::span<const std::span<const std::byte>> parts, std::span<Digest> digests) {
  for (std::size_t i = 0; i < parts.size(); ++i) digests[i] = sha256(parts[i]);
}

#if defined(__x86_64__)

constexpr std::size_t kBlock = 64;

alignas(64) constexpr std::array<std::uint32_t, 64> kConstants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

bool has_instructions() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_SSE4_1) == 0 || (c & bit_SSSE3) == 0) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
}

// One string on its way: first its own blocks, then the one or two that hold what is left of it, and its length.
struct Lane {
  __m128i abef{};
  __m128i cdgh{};
  const std::byte* next = nullptr;
  std::size_t blocks = 0;  // at `next`
  bool is_tail = false;    // they are those of `tail`
  std::span<const std::byte> whole;
  Digest* digest = nullptr;
  std::array<std::byte, 2 * kBlock> tail{};
};

#define KIST_WITH_SHA __attribute__((target("sha,sse4.1,ssse3")))

KIST_WITH_SHA void begin(Lane& lane, std::span<const std::byte> whole, Digest& digest) {
  lane.abef = _mm_set_epi32(0x6a09e667, static_cast<int>(0xbb67ae85), 0x510e527f, static_cast<int>(0x9b05688c));
  lane.cdgh = _mm_set_epi32(0x3c6ef372, static_cast<int>(0xa54ff53a), 0x1f83d9ab, 0x5be0cd19);
  lane.next = whole.data();
  lane.blocks = whole.size() / kBlock;
  lane.is_tail = false;
  lane.whole = whole;
  lane.digest = &digest;
}

void begin_tail(Lane& lane) {
  const std::size_t left = lane.whole.size() % kBlock;
  const std::size_t length = left + 9 <= kBlock ? kBlock : 2 * kBlock;
  lane.tail = {};
  if (left > 0) std::memcpy(lane.tail.data(), lane.whole.data() + lane.whole.size() - left, left);
  lane.tail[left] = std::byte{0x80};
  const std::uint64_t bits = __builtin_bswap64(static_cast<std::uint64_t>(lane.whole.size()) * 8);
  std::memcpy(lane.tail.data() + length - sizeof(bits), &bits, sizeof(bits));
  lane.next = lane.tail.data();
  lane.blocks = length / kBlock;
  lane.is_tail = true;
}

KIST_WITH_SHA void end(Lane& lane) {
  alignas(16) std::array<std::uint32_t, 4> abef{};
  alignas(16) std::array<std::uint32_t, 4> cdgh{};
  _mm_store_si128(reinterpret_cast<__m128i*>(abef.data()), lane.abef);
  _mm_store_si128(reinterpret_cast<__m128i*>(cdgh.data()), lane.cdgh);
  const std::array<std::uint32_t, 8> words = {abef[3], abef[2], cdgh[3], cdgh[2], abef[1], abef[0], cdgh[1], cdgh[0]};
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::uint32_t word = __builtin_bswap32(words[i]);
    std::memcpy(lane.digest->value.data() + i * sizeof(word), &word, sizeof(word));
  }
  lane.digest->algorithm = Digest::Algorithm::sha256;
}

// So many blocks of each of `N` lanes.
template <std::size_t N>
KIST_WITH_SHA void work(const std::array<Lane*, N>& lanes, std::size_t blocks) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i abef[N];
  __m128i cdgh[N];
  const std::byte* next[N];
  for (std::size_t l = 0; l < N; ++l) {
    abef[l] = lanes[l]->abef;
    cdgh[l] = lanes[l]->cdgh;
    next[l] = lanes[l]->next;
  }
  for (std::size_t block = 0; block < blocks; ++block) {
    __m128i words[N][4];
    __m128i abef_before[N];
    __m128i cdgh_before[N];
#pragma GCC unroll 2
    for (std::size_t l = 0; l < N; ++l) {
      abef_before[l] = abef[l];
      cdgh_before[l] = cdgh[l];
    }
#pragma GCC unroll 16
    for (std::size_t group = 0; group < 16; ++group) {
      const __m128i constants = _mm_load_si128(reinterpret_cast<const __m128i*>(kConstants.data() + 4 * group));
#pragma GCC unroll 2
      for (std::size_t l = 0; l < N; ++l) {
        __m128i* const w = words[l];
        if (group < 4) {
          const auto* at = reinterpret_cast<const __m128i*>(next[l] + 16 * group);
          w[group] = _mm_shuffle_epi8(_mm_loadu_si128(at), big_endian);
        } else {
          const __m128i before = _mm_alignr_epi8(w[(group - 1) % 4], w[(group - 2) % 4], 4);
          const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[group % 4], w[(group - 3) % 4]), before);
          w[group % 4] = _mm_sha256msg2_epu32(sum, w[(group - 1) % 4]);
        }
        const __m128i keyed = _mm_add_epi32(w[group % 4], constants);
        cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], keyed);
        abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], _mm_shuffle_epi32(keyed, 0x0e));
      }
    }
#pragma GCC unroll 2
    for (std::size_t l = 0; l < N; ++l) {
      abef[l] = _mm_add_epi32(abef[l], abef_before[l]);
      cdgh[l] = _mm_add_epi32(cdgh[l], cdgh_before[l]);
      next[l] += kBlock;
    }
  }
  for (std::size_t l = 0; l < N; ++l) {
    lanes[l]->abef = abef[l];
    lanes[l]->cdgh = cdgh[l];
    lanes[l]->next = next[l];
    lanes[l]->blocks -= blocks;
  }
}

class Queue {
 public:
  Queue(std::span<const std::span<const std::byte>> parts, std::span<Digest> digests)
      : parts_(parts), digests_(digests) {}

  // Gives a lane blocks to work on, of its string or of the next; false where there are none any more.
  bool feed(Lane& lane) {
    while (lane.blocks == 0) {
      if (lane.digest != nullptr && !lane.is_tail) {
        begin_tail(lane);
        continue;
      }
      if (lane.digest != nullptr) end(lane);
      lane.digest = nullptr;
      if (taken_ == parts_.size()) return false;
      begin(lane, parts_[taken_], digests_[taken_]);
      ++taken_;
    }
    return true;
  }

 private:
  std::span<const std::span<const std::byte>> parts_;
  std::span<Digest> digests_;
  std::size_t taken_ = 0;
};

void two_by_two(std::span<const std::span<const std::byte>> parts, std::span<Digest> digests) {
  Queue queue(parts, digests);
  Lane a;
  Lane b;
  bool more_of_a = queue.feed(a);
  bool more_of_b = queue.feed(b);
  while (more_of_a && more_of_b) {
    work<2>({&a, &b}, std::min(a.blocks, b.blocks));
    more_of_a = queue.feed(a);
    more_of_b = queue.feed(b);
  }
  for (Lane* rest : {&a, &b})
    while (rest->blocks > 0) {
      work<1>({rest}, rest->blocks);
      (void)queue.feed(*rest);
    }
}

#endif

}  // namespace

void sha256_each(std::span<const std::span<const std::byte>> parts, std::span<Digest> digests) {
#if defined(__x86_64__)
  static const bool able = has_instructions();
  if (able && parts.size() > 1) return two_by_two(parts, digests);
#endif
  one_by_one(parts, digests);
}

}  // namespace kist
