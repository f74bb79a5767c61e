// FNV-1a (Fowler, Noll and Vo): a hash that is the same in every process and version.
//
// Thread safety: a pure function.
#ifndef RNULLFS_BASE_FNV_H_
#define RNULLFS_BASE_FNV_H_

#include <cstddef>
#include <cstdint>

namespace rnullfs {

inline constexpr uint64_t kFnvBasis = 0xcbf29ce484222325;

// Goes on with `hash`, which begins as kFnvBasis.
inline uint64_t Fnv1a(uint64_t hash, const void* data, size_t length) {
  const auto* const bytes = static_cast<const unsigned char*>(data);
  for (size_t i = 0; i < length; ++i) {
    // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): all of it was written
    hash = (hash ^ bytes[i]) * 0x100000001b3;
  }
  return hash;
}

}  // namespace rnullfs

#endif  // RNULLFS_BASE_FNV_H_
