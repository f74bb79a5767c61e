// Versions in a row, first in, first out.  What holds them together lies beside their records: a
// list takes no memory, and what moves a version from one to another cannot fail.
//
// Thread safety: as of a plain value.  A version is in one list at most.
#ifndef RNULLFS_PAST_VERSION_LIST_H_
#define RNULLFS_PAST_VERSION_LIST_H_

#include <cstdint>

#include "past/version_file.h"

namespace rnullfs {

class VersionList {
 public:
  bool empty() const { return first_ == kNoVersion; }
  Version front() const { return first_; }

  void PushBack(const VersionFile& file, Version version) {
    file.next(version) = kNoVersion;
    (empty() ? first_ : file.next(last_)) = version;
    last_ = version;
  }
  Version PopFront(const VersionFile& file) {
    const Version version = first_;
    first_ = file.next(version);
    return version;
  }

  // Calls `f` with each.
  template <typename F>
  void ForEach(const VersionFile& file, F f) const {
    for (Version at = first_; at != kNoVersion; at = file.next(at)) f(at);
  }

 private:
  Version first_ = kNoVersion;
  Version last_ = kNoVersion;  // of one that is not empty
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_VERSION_LIST_H_
