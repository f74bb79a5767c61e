// A sparse memfd and its mapping: the memory of a disk, offset in the file = offset on the disk,
// and what is kept in the same way.
//
// It is mapped in windows of 4 GiB, each when a page in it is first stored: there may be many disks
// of many TiB, nearly all of them holes, and a process has 128 TiB of addresses.  That is half as
// many windows as the kernel lets a process have mappings (vm.max_map_count, 65530), so that what
// runs out is addresses, and a window without them is served by read and write.
//
// Memory is taken with pwrite() and fallocate(), never by touching the mapping: a system call that
// finds none left returns an errno, a page fault kills the process.
//
// Thread safety: all calls may come from any thread at once, Resize() one at a time, and for less
// only where nobody uses what is cut off.
// Units: bytes.
// Errors: positive errno; ENOSPC when memory or the limit on the size of files ran out.
#ifndef RNULLFS_STORE_ARENA_H_
#define RNULLFS_STORE_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "rnullfs/mutex.h"
#include "rnullfs/unique_fd.h"
#include "rnullfs/xarray.h"

namespace rnullfs {

// An empty memfd that /proc/PID/maps shows as "memfd:<name>", cut to what the kernel takes.
absl::StatusOr<UniqueFd> CreateMemfd(std::string_view name);

class Arena {
 public:
  static constexpr uint64_t kWindowSize = uint64_t{4} << 30;

  explicit Arena(UniqueFd memfd) : memfd_(std::move(memfd)) {}
  ~Arena();

  // How many pages are looked at at once: as many as a usual request has.  Where every other page
  // is stored all but the first have been looked at in vain.
  static constexpr uint64_t kRunPages = 33;

  // Where `offset` is mapped, up to the end of its window; null when it can't be mapped.  Touch
  // only what is allocated.  Lock-free once the window is there.
  char* At(uint64_t offset);

  // Allocates every page of the range, and fills the range with `data`, or leaves new pages zero
  // and the others as they are.
  int Write(uint64_t offset, uint64_t length, const char* data);
  int Allocate(uint64_t offset, uint64_t length);

  // For what is stored and cannot be mapped.
  int Read(uint64_t offset, uint64_t length, char* to) const;

  // Gives whole pages back; they read as zeros.
  int Punch(uint64_t offset, uint64_t length);

  // The first byte of [begin, end) that is allocated, or in a hole; `end` when there is none.
  uint64_t NextData(uint64_t begin, uint64_t end) const;
  uint64_t NextHole(uint64_t begin, uint64_t end) const;

  // How far from `begin` on, at most to `end`, every page is stored, or none is.  To find the end
  // of what is stored takes NextHole() a walk to the end of the extent, which may be all of the
  // disk; this looks at a few pages, none of them behind `end` or in the next window.
  struct Run {
    uint64_t end;
    bool stored;
  };
  Run RunAt(uint64_t begin, uint64_t end);

  uint64_t size_bytes() const;

  // Bytes of memory and swap that the file takes.
  uint64_t AllocatedBytes() const;

  // Cuts or extends the file; 0 or the errno of ftruncate().  EPERM to extend a sealed one.
  int Resize(uint64_t size_bytes);

  // Keeps the file from growing, whoever writes past its end: they get EPERM.  For good.
  int SealLength();
  bool length_sealed() const;

  // Has the kernel put a mapped range into huge pages, which it may do whatever is stored there: a
  // range that is stored in part is then stored whole.  EINVAL where the kernel has none for shared
  // memory, any other errno where it could not just now.
  int Collapse(uint64_t offset, uint64_t length);

  int fd() const { return memfd_.get(); }

 private:
  uint64_t Seek(uint64_t begin, uint64_t end, int whence) const;
  char* MapWindow(uint64_t window);
  void UnmapFrom(uint64_t window);

  const UniqueFd memfd_;
  Mutex map_mutex_;  // one thread maps a window; held for nothing else
  XArray windows_;   // offset / kWindowSize -> its first address
};

}  // namespace rnullfs

#endif  // RNULLFS_STORE_ARENA_H_
