// Pages on their way from one file to another: a disk that has been shared cannot grow where it is.
#ifndef RNULLFS_STORE_MOVE_PAGES_H_
#define RNULLFS_STORE_MOVE_PAGES_H_

#include "store/pages.h"

namespace rnullfs {

// Moves all that is stored to `to`, which is empty and no smaller; 0 or an errno, after which some
// has been moved.  Who dies meanwhile leaves each page in one of the two, or in both
// (Pages::TakeBack()).  Both must be alone.
int MovePages(Pages& from, Pages& to);

}  // namespace rnullfs

#endif  // RNULLFS_STORE_MOVE_PAGES_H_
