#include "fuse/backing_ids.h"

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

// <linux/fuse.h> has them from Linux 6.9 on.
struct BackingMap {
  int32_t fd;
  uint32_t flags;
  uint64_t padding;
};
constexpr unsigned long kBackingOpen = _IOW(229, 1, BackingMap);
constexpr unsigned long kBackingClose = _IOW(229, 2, uint32_t);

}  // namespace

void CloseBacking(int fuse_fd, int backing_id) {
  if (backing_id == 0) return;
  const auto number = static_cast<uint32_t>(backing_id);
  ioctl(fuse_fd, kBackingClose, &number);
}

void ForgetStrayBackings(const std::set<int>& used, absl::FunctionRef<int()> open,
                         absl::FunctionRef<void(int)> close) {
  const int newest = open();
  for (int id = newest; id > std::max(0, newest - kStrayBackingsMax); --id) {
    if (!used.contains(id)) close(id);
  }
}

void ForgetStrayBackings(int fuse_fd, const std::set<int>& used, const std::set<int>& retired) {
  const auto close = [fuse_fd](int id) { CloseBacking(fuse_fd, id); };
  const auto open = [fuse_fd] {
    const UniqueFd any(memfd_create("rnullfs-backing-probe", MFD_CLOEXEC));
    const BackingMap map = {.fd = any.get(), .flags = 0, .padding = 0};
    return any.valid() ? std::max(0, ioctl(fuse_fd, kBackingOpen, &map)) : 0;
  };
  for (const int id : retired) {
    if (!used.contains(id)) close(id);
  }
  ForgetStrayBackings(used, open, close);
}

}  // namespace rnullfs
