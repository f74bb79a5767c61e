// Directories that a device could have, to show what a section can be: at/ with names on demand,
// read-only, and marks/ that is written to.
#ifndef RNULLFS_TESTS_TREE_TOY_SECTIONS_H_
#define RNULLFS_TESTS_TREE_TOY_SECTIONS_H_

#include "tree/device_directory.h"

namespace rnullfs {

// at/10, at/11, ..., at/20, of which the first and the last are listed; at/17/moment says which
// it is.
inline constexpr uint8_t kAtView = 1;
// marks/NAME, by mkdir, mv and rmdir; nothing is in them.
inline constexpr uint8_t kMarksView = 2;

Sections ToySections();

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_TREE_TOY_SECTIONS_H_
