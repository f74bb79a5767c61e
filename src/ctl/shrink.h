// What of a set is needed for something to happen (delta debugging: Zeller and Hildebrandt,
// "Simplifying and Isolating Failure-Inducing Input", 2002).
//
// Thread safety: pure functions.
#ifndef RNULLFS_CTL_SHRINK_H_
#define RNULLFS_CTL_SHRINK_H_

#include <cstdint>
#include <functional>
#include <vector>

namespace rnullfs {

// Of `items`, with which it happens, some of which none can be left out, as long as `happens` can
// be asked: it says false when it is out of patience.  Keeps the order.
std::vector<uint64_t> Shrink(std::vector<uint64_t> items,
                             const std::function<bool(const std::vector<uint64_t>&)>& happens);

}  // namespace rnullfs

#endif  // RNULLFS_CTL_SHRINK_H_
