// What the disks of a process share, for programs that have some of their own:
//
//     rnullfs::DiskHost host;
//     rnullfs::Disk disk(1, "name", host.services());
//
// It outlives them.
//
// Thread safety: services() from any thread; Start() once, before the first request.
#ifndef RNULLFS_DISK_HOST_H_
#define RNULLFS_DISK_HOST_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "rnullfs/clock.h"
#include "rnullfs/disk.h"
#include "rnullfs/index_pool.h"
#include "rnullfs/memory_limit.h"

namespace rnullfs {

class DiskHost {
 public:
  // All of its disks together store that many bytes at most; some memory is left to the machine
  // whatever the limit.
  explicit DiskHost(uint64_t memory_limit_bytes = MemoryLimit::kNone,
                    const Clock& clock = Clock::Real());
  ~DiskHost();
  DiskHost(const DiskHost&) = delete;
  DiskHost& operator=(const DiskHost&) = delete;

  // Starts the threads that requests may need, which otherwise the first request does that needs
  // one, and fails for want of it.  A process that forks does so before.  EAGAIN when there is none
  // to be had.
  absl::Status Start();

  // For a disk; complain and badblocks_spent are the caller's to add.
  Disk::Services services();

  MemoryLimit& memory() { return memory_; }

 private:
  const Clock& clock_;
  MemoryLimit memory_;
  IndexPool indexes_;
  const std::unique_ptr<CompletionQueue> completions_;
};

}  // namespace rnullfs

#endif  // RNULLFS_DISK_HOST_H_
