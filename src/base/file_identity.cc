#include "base/file_identity.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>

namespace rnullfs {

int Identify(int file, FileIdentity& identity) {
  struct stat status = {};
  if (fstat(file, &status) != 0) return errno;
  if (S_ISBLK(status.st_mode)) {
    return ioctl(file, BLKGETSIZE64, &identity.size_bytes) == 0 ? 0 : errno;
  }
  if (!S_ISREG(status.st_mode)) return EINVAL;
  identity = {.size_bytes = static_cast<uint64_t>(status.st_size), .modified = status.st_mtim};
  return 0;
}

bool IsAsItWas(int file, const FileIdentity& was) {
  FileIdentity now;
  return Identify(file, now) == 0 && now.size_bytes == was.size_bytes &&
         now.modified.tv_sec == was.modified.tv_sec && now.modified.tv_nsec == was.modified.tv_nsec;
}

}  // namespace rnullfs
