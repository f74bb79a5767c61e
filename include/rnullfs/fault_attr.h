// What decides whether a request fails on purpose: the kernel's fault_attr (include/linux/
// fault-inject.h), with its defaults.
//
// Thread safety: a plain value.
#ifndef RNULLFS_FAULT_ATTR_H_
#define RNULLFS_FAULT_ATTR_H_

#include <cstdint>

namespace rnullfs {

struct FaultAttr {
  static constexpr int64_t kUnlimited = -1;

  int64_t probability = 0;  // percent
  int64_t interval = 1;     // of the requests that get so far, every how-manieth may fail
  int64_t times = 1;        // how many may fail yet; kUnlimited
  int64_t space = 0;        // how many pass before the first may fail
  int64_t verbose = 2;      // how much the kernel would log

  // Whether any request can fail.
  bool armed() const { return probability != 0 && times != 0; }
  bool operator==(const FaultAttr&) const = default;
};

}  // namespace rnullfs

#endif  // RNULLFS_FAULT_ATTR_H_
