#include "ctl/shrink.h"

#include <algorithm>

namespace rnullfs {
namespace {

// `items` without [begin, end).
std::vector<uint64_t> Without(const std::vector<uint64_t>& items, size_t begin, size_t end) {
  std::vector<uint64_t> rest(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(begin));
  rest.insert(rest.end(), items.begin() + static_cast<std::ptrdiff_t>(end), items.end());
  return rest;
}

}  // namespace

// In pieces that become smaller, each left out if it can be.
std::vector<uint64_t> Shrink(std::vector<uint64_t> items,
                             const std::function<bool(const std::vector<uint64_t>&)>& happens) {
  for (size_t piece = (items.size() + 1) / 2; piece > 0;) {
    bool smaller = false;
    for (size_t begin = 0; begin < items.size();) {
      std::vector<uint64_t> rest = Without(items, begin, std::min(begin + piece, items.size()));
      if (happens(rest)) {
        items = std::move(rest);
        smaller = true;
      } else {
        begin += piece;
      }
    }
    // What could not be left out before may be when others are gone.
    if (piece > 1) {
      piece /= 2;
    } else if (!smaller) {
      break;
    }
  }
  return items;
}

}  // namespace rnullfs
