// What decides whether a request fails on purpose: the kernel's fault_attr (include/linux/
// fault-inject.h), with its defaults.
//
// Thread safety: plain values.
#ifndef RNULLFS_FAULT_ATTR_H_
#define RNULLFS_FAULT_ATTR_H_

#include <cstdint>

namespace rnullfs {

// As it was written.
struct FaultAttr {
  static constexpr int64_t kUnlimited = -1;

  int64_t probability = 0;  // percent
  int64_t interval = 1;     // of the requests that get so far, every how-manieth may fail
  int64_t times = 1;        // how many may fail; kUnlimited
  int64_t space = 0;        // how many pass before the first may fail
  int64_t verbose = 2;      // how much the kernel would log

  bool operator==(const FaultAttr&) const = default;
};

// What is left of it, which is what the files show.
struct FaultLeft {
  int64_t times = 1;
  int64_t space = 0;

  bool operator==(const FaultLeft&) const = default;
};

// Of what nothing has been used.
inline FaultLeft Whole(const FaultAttr& attr) { return {.times = attr.times, .space = attr.space}; }

// Whether any request can fail.
inline bool Armed(const FaultAttr& attr, const FaultLeft& left) {
  return attr.probability != 0 && left.times != 0;
}

}  // namespace rnullfs

#endif  // RNULLFS_FAULT_ATTR_H_
