// The bytes that a view hands out, taken in pieces, in order: for who puts together what he hands
// out from what others do, without a copy.
//
// Thread safety: as of a plain value.  Units: bytes; places are those of the view.
#ifndef RNULLFS_PAST_PARTS_H_
#define RNULLFS_PAST_PARTS_H_

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "store/io_vector.h"

namespace rnullfs {

class Parts {
 public:
  // What there is from `begin` on.
  Parts(absl::Span<const iovec> parts, uint64_t begin) : parts_(parts), begin_(begin) {}

  // [begin, end) must not lie before what has been taken.
  void AppendTo(IoVector& to, uint64_t begin, uint64_t end) {
    while (begin < end) {
      const iovec& part = parts_[part_];
      if (begin_ + part.iov_len <= begin) {
        begin_ += part.iov_len;
        ++part_;
        continue;
      }
      const uint64_t within = begin - begin_;
      const uint64_t length = std::min(end - begin, part.iov_len - within);
      to.Append(static_cast<const char*>(part.iov_base) + within, length);
      begin += length;
    }
  }

 private:
  const absl::Span<const iovec> parts_;
  size_t part_ = 0;
  uint64_t begin_;  // where that one begins
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_PARTS_H_
