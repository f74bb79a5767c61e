// What stat(2) shows of a device's files, and what chmod(2) and its like change: owner, mode and
// times, by place.
//
// The data path keeps no times: a disk that has been written to since the last look counts as
// modified now.  A time that was set stays until the next write.
//
// Thread safety: one call at a time (the owner's lock).
#ifndef RNULLFS_TREE_OWNERS_H_
#define RNULLFS_TREE_OWNERS_H_

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <map>

#include "base/ownership.h"
#include "records/state_records.h"
#include "rnullfs/disk.h"
#include "tree/inode.h"

namespace rnullfs {

class Owners {
 public:
  // `disk` outlives it.
  Owners(const Ownership& created, const Disk& disk, const Clock& clock)
      : created_(created), disk_(disk), clock_(clock) {}

  // What is not there is as created, but for the mode.
  Ownership Of(Place place, mode_t default_mode) const;
  void Change(Place place, mode_t default_mode, const OwnershipChange& change);
  void DirectoryModified();
  void DiskModified();

  // Looks whether the disk has been written to.  `kernel_wrote`: also by the kernel, so that the
  // file tells.
  void NoteDiskWrites(bool kernel_wrote);
  // What has been done to the file until now was no write.
  void SeeDisk();

  void Save(DeviceRecord& record) const;
  void Restore(const DeviceRecord& record);

 private:
  Ownership AsCreated(Place place, mode_t default_mode) const;
  Ownership& Own(Place place, mode_t default_mode);
  bool FileWritten(timespec disk_modified);

  const Ownership created_;
  const Disk& disk_;
  const Clock& clock_;
  std::map<Place, Ownership> ownership_;
  uint64_t writes_seen_ = 0;
  timespec stored_seen_ = {};  // zero: not known
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_OWNERS_H_
