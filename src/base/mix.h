// SplitMix64 (Steele, Lea and Flood, 2014): chance that can be entered anywhere.  Its n-th state is
// the seed plus n times kGoldenGamma, and its output a hash of the state.
//
// Thread safety: pure functions.
#ifndef RNULLFS_BASE_MIX_H_
#define RNULLFS_BASE_MIX_H_

#include <cstdint>

namespace rnullfs {

inline constexpr uint64_t kGoldenGamma = 0x9e3779b97f4a7c15;

constexpr uint64_t Mix(uint64_t state) {
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
  state = (state ^ (state >> 27)) * 0x94d049bb133111eb;
  return state ^ (state >> 31);
}

// 64 random bits as a number in [0, bound).  A fraction of 2^64, scaled: the upper bits count, and
// there is no division.  Its bias is below bound / 2^64.
constexpr uint64_t Scaled(uint64_t bits, uint64_t bound) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(bits) * bound) >> 64);
}

}  // namespace rnullfs

#endif  // RNULLFS_BASE_MIX_H_
