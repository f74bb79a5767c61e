#include "rnullfs/view.h"

#include <algorithm>
#include <cstring>

#include "store/io_vector.h"

namespace rnullfs {

int View::CopyOut(uint64_t offset, uint64_t length, char* to) {
  return Read(offset, length, [&to](absl::Span<const iovec> blocks) {
    for (const iovec& block : blocks) {
      std::memcpy(to, block.iov_base, block.iov_len);
      to += block.iov_len;
    }
  });
}

int HoleView::Read(uint64_t /*offset*/, uint64_t length, Sink sink) {
  IoVector zeros;
  zeros.AppendZeros(length);
  sink(zeros.blocks());
  return 0;
}

uint64_t HoleView::NextData(uint64_t /*offset*/) const { return size_bytes_; }
uint64_t HoleView::NextHole(uint64_t offset) const { return std::min(offset, size_bytes_); }

}  // namespace rnullfs
