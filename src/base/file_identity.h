// Whether a file of the machine is what it was: by its size and the time of its last change.  A
// block device has a length that stat(2) does not show, and its contents have no time.
//
// Thread safety: pure functions.  Units: bytes.
#ifndef RNULLFS_BASE_FILE_IDENTITY_H_
#define RNULLFS_BASE_FILE_IDENTITY_H_

#include <cstdint>
#include <ctime>

namespace rnullfs {

struct FileIdentity {
  uint64_t size_bytes = 0;
  timespec modified = {};
};

// What it is now.  A system call's errno; EINVAL for what is neither a regular file nor a block
// device.
int Identify(int file, FileIdentity& identity);

// False also when it cannot be told.
bool IsAsItWas(int file, const FileIdentity& was);

}  // namespace rnullfs

#endif  // RNULLFS_BASE_FILE_IDENTITY_H_
