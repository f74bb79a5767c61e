#include "device/random.h"

namespace rnullfs {
namespace {

// SplitMix64 (Steele, Lea and Flood, 2014) can be entered anywhere: its n-th state is the seed plus
// n times this, and its output a hash of the state.
constexpr uint64_t kGoldenGamma = 0x9e3779b97f4a7c15;

constexpr uint64_t Mix(uint64_t state) {
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
  state = (state ^ (state >> 27)) * 0x94d049bb133111eb;
  return state ^ (state >> 31);
}

}  // namespace

void Random::Start(uint64_t seed, const Clock& clock) {
  if (seed == 0) seed = static_cast<uint64_t>(clock.NowNsec());
  if (seed == 0) seed = 1;
  state_.seed.store(seed, std::memory_order_relaxed);
  state_.drawn.store(0, std::memory_order_relaxed);
}

uint64_t Random::Below(uint64_t bound) {
  const uint64_t n = state_.drawn.fetch_add(1, std::memory_order_relaxed) + 1;
  const uint64_t bits = Mix(state_.seed.load(std::memory_order_relaxed) + n * kGoldenGamma);
  // A fraction of 2^64, scaled: the upper bits count, and there is no division.
  return static_cast<uint64_t>((static_cast<unsigned __int128>(bits) * bound) >> 64);
}

}  // namespace rnullfs
