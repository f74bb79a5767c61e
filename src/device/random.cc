#include "device/random.h"

#include "base/mix.h"

namespace rnullfs {

void Random::Start(uint64_t seed, const Clock& clock) {
  if (seed == 0) seed = static_cast<uint64_t>(clock.NowNsec());
  if (seed == 0) seed = 1;
  state_.seed.store(seed, std::memory_order_relaxed);
  state_.drawn.store(0, std::memory_order_relaxed);
}

uint64_t Random::Below(uint64_t bound) {
  const uint64_t n = state_.drawn.fetch_add(1, std::memory_order_relaxed) + 1;
  return Scaled(Mix(state_.seed.load(std::memory_order_relaxed) + n * kGoldenGamma), bound);
}

}  // namespace rnullfs
