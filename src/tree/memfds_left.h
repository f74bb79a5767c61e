// The memfds that a process which is gone has left, by the device whose they were.
//
// Thread safety: a pure function.
#ifndef RNULLFS_TREE_MEMFDS_LEFT_H_
#define RNULLFS_TREE_MEMFDS_LEFT_H_

#include <cstdint>
#include <map>
#include <vector>

#include "records/state_records.h"
#include "rnullfs/disk.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

// By device id, taken out of `left`.  For each device the one that its record names, and one it was
// being moved to, if any.  (The name alone tells where the record is older than the move.)
std::map<uint64_t, Disk::Memfds> MemfdsOf(const std::vector<DeviceRecord>& devices,
                                          std::vector<UniqueFd>& left);

// The same of a file of the machine that is an origin; invalid when it is not there.
UniqueFd FileOf(const OriginKey& origin, std::vector<UniqueFd>& left);

// Those that have not been taken: no record names them, as they belonged to a device that was just
// being removed.
void DropMemfds(const std::map<uint64_t, Disk::Memfds>& untaken, const std::vector<UniqueFd>& left,
                MemfdKeeper& keeper);

}  // namespace rnullfs

#endif  // RNULLFS_TREE_MEMFDS_LEFT_H_
