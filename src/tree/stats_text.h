// What stats.json says.
//
// Thread safety: as of what it is given.
#ifndef RNULLFS_TREE_STATS_TEXT_H_
#define RNULLFS_TREE_STATS_TEXT_H_

#include <string>

#include "rnullfs/disk.h"
#include "tree/doors.h"

namespace rnullfs {

std::string StatsText(const Disk& disk, const Doors& doors);

}  // namespace rnullfs

#endif  // RNULLFS_TREE_STATS_TEXT_H_
