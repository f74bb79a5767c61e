#include "store/memfd_holders.h"

#include <fcntl.h>

#include <cerrno>
#include <csignal>

#include "absl/strings/str_cat.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

// Reading only: an open for writing would count as one that is not ours.
Holders HoldersOf(int memfd) {
  const std::string path = absl::StrCat("/proc/self/fd/", memfd);
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return Holders::kUnknown;
  // Who opens it while we look waits for us, and we are told by a signal: by one that does nothing.
  fcntl(file.get(), F_SETSIG, SIGURG);
  if (fcntl(file.get(), F_SETLEASE, F_WRLCK) != 0) {
    return errno == EAGAIN ? Holders::kSome : Holders::kUnknown;
  }
  fcntl(file.get(), F_SETLEASE, F_UNLCK);
  return Holders::kNone;
}

}  // namespace rnullfs
