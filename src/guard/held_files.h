// The files of a mount that a process holds, found by its descriptors (/proc/PID/fd), for who
// rescues the disks.
//
// Thread safety: none.  Errors: a system call's, with a sentence.
#ifndef RNULLFS_GUARD_HELD_FILES_H_
#define RNULLFS_GUARD_HELD_FILES_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "guard/descriptors.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

// Where a process holds a memfd.
struct Held {
  uint64_t inode;
  std::string path;  // in /proc
};

// One that is just being moved to another file has a part in each.  A process may hold a file more
// than once.
struct HeldDisk {
  uint64_t id = 0;
  std::map<uint64_t, Held> parts;  // by inode
};

struct HeldFiles {
  std::map<std::string, HeldDisk> disks;  // by name
  std::map<uint64_t, Held> pasts;         // by id
  std::map<uint64_t, Held> marks;
  std::optional<Held> state;
};

absl::StatusOr<HeldFiles> FindHeldFiles(pid_t pid);

// Opens it to be read.  A process that lies about its descriptors could have whoever rescues open
// any file for it: looked at before it is opened.  A memfd has no name in any file system, and can
// be sealed.  ESTALE for what is none, or another one by now.
absl::StatusOr<UniqueFd> OpenHeld(const Held& held);

// A file of the machine that the process keeps (base/kept_file.h): its own descriptor, so that
// nothing is opened that it could not read.  ENOENT when it holds none.
absl::StatusOr<UniqueFd> TakeKeptFile(pid_t pid, const FileId& file);

}  // namespace rnullfs

#endif  // RNULLFS_GUARD_HELD_FILES_H_
