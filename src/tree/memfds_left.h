// The memfds that a process which is gone has left, by the device whose they were.
//
// Thread safety: none.
#ifndef RNULLFS_TREE_MEMFDS_LEFT_H_
#define RNULLFS_TREE_MEMFDS_LEFT_H_

#include <cstdint>
#include <vector>

#include "records/state_records.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/unique_fd.h"
#include "tree/device_node.h"

namespace rnullfs {

class MemfdsLeft {
 public:
  explicit MemfdsLeft(std::vector<UniqueFd> memfds);

  // The device's: the one its record names, and one it was being moved to, if any.  (The name
  // alone tells where the record is older than the move.)
  DeviceNode::Memfds Take(const DeviceRecord& record);

  // What no record names belonged to a device that was just being removed.
  void Drop(MemfdKeeper& keeper);

 private:
  struct Memfd {
    uint64_t device_id;
    uint64_t inode;
    bool cache;
    UniqueFd fd;
  };
  std::vector<Memfd> memfds_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_MEMFDS_LEFT_H_
