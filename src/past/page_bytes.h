// What a page's bytes are asked and done.
#ifndef RNULLFS_PAST_PAGE_BYTES_H_
#define RNULLFS_PAST_PAGE_BYTES_H_

#include <sys/uio.h>

#include <cstring>

#include "absl/types/span.h"
#include "rnullfs/page_store.h"

namespace rnullfs {

inline bool IsZero(const char* page) {
  return page[0] == 0 && std::memcmp(page, page + 1, PageStore::kPageSize - 1) == 0;
}

// One behind the other.
inline void Join(absl::Span<const iovec> parts, char* to) {
  for (const iovec& part : parts) {
    std::memcpy(to, part.iov_base, part.iov_len);
    to += part.iov_len;
  }
}

}  // namespace rnullfs

#endif  // RNULLFS_PAST_PAGE_BYTES_H_
