// The bytes of a read, gathered where they lie: blocks of memory in order, holes as zeros.
//
// Thread safety: as of a plain value.
#ifndef RNULLFS_STORE_IO_VECTOR_H_
#define RNULLFS_STORE_IO_VECTOR_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"

namespace rnullfs {

class IoVector {
 public:
  // The memory is pointed at, not copied.
  void Append(const char* data, size_t length);
  void AppendZeros(uint64_t length);
  // Memory of the vector's own, for the caller to fill; null when there is none.
  char* AppendNew(size_t length);

  absl::Span<const iovec> blocks() const { return blocks_; }

 private:
  // What the largest FUSE read (1 MiB) can come to, when it begins within a page and pages are by
  // turns stored and holes: it takes no allocation.
  absl::InlinedVector<iovec, 257> blocks_;
  std::vector<std::unique_ptr<char[]>> own_;
};

}  // namespace rnullfs

#endif  // RNULLFS_STORE_IO_VECTOR_H_
