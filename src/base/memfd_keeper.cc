#include "rnullfs/memfd_keeper.h"

#include <sys/resource.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

class NoKeeper : public MemfdKeeper {
 public:
  int Keep(int /*memfd*/) override { return 0; }
  void Drop(int /*memfd*/) override {}
};

}  // namespace

MemfdKeeper& MemfdKeeper::None() {
  static NoKeeper none;
  return none;
}

absl::Status KeepElsewhere(MemfdKeeper& keeper, int memfd) {
  const int error = keeper.Keep(memfd);
  if (error == 0) return absl::OkStatus();
  if (error == EMFILE) return NoDescriptorLeft();
  return SystemError(error, "the guard cannot hold one more disk");
}

absl::Status NoDescriptorLeft() {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  return Error(EMFILE,
               absl::StrCat("disks: each takes a descriptor, and of the ", limit.rlim_cur,
                            " that this process may have none is left (RLIMIT_NOFILE): rmdir "
                            "others, or mount with a higher limit (ulimit -Hn)"));
}

}  // namespace rnullfs
