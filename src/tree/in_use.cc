// Who holds a disk, and what cannot be done meanwhile.

#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/memfd_name.h"
#include "base/visible.h"
#include "rnullfs/error.h"
#include "tree/device_node.h"

namespace rnullfs {
namespace {

// Not everything that lets go of a disk tells us so.
constexpr std::chrono::milliseconds kLookAgain(20);

}  // namespace

// By an open, or by a mapping that the kernel made of one which is closed.
bool DeviceNode::InUse() const {
  if (!opens_.empty()) return true;
  return medium_ != nullptr && medium_->store() != nullptr && medium_->store()->Held();
}

std::string DeviceNode::InTheWay(const DeviceConfig& next) const {
  if (!config_.power) return {};
  if (!next.power) return InUse() ? "power: cannot switch off" : "";
  // The kernel would answer EIO to the opens that passthrough is promised to.
  const bool promised = next.datapath == DataPath::kPassthrough;
  if (promised && !pinned_ && DaemonOpen()) {
    return "datapath: passthrough is for all opens or none, not";
  }
  return {};
}

void DeviceNode::AwaitLastClose() {
  for (auto waited = kLookAgain; InUse() && waited <= services_.close_grace; waited += kLookAgain) {
    last_close_.wait_for(mutex_, kLookAgain,
                         [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !InUse(); });
  }
}

std::string DeviceNode::Openers() const {
  std::vector<std::string> openers;
  for (const auto& [handle, open] : opens_) {
    if (openers.size() == 3) {
      openers.emplace_back("others");
      break;
    }
    openers.push_back(Visible(open.opener));
  }
  return absl::StrJoin(openers, ", ");
}

absl::Status DeviceNode::DiskInUse(std::string_view what) const {
  if (opens_.empty()) {
    return Error(EBUSY, absl::StrCat(std::string(what),
                                     " while disk is mapped (mmap) by a process; end it, or have "
                                     "it unmap the disk, and try again; grep -l 'memfd:",
                                     DiskMemfdName(id_, name_), "' /proc/*/maps shows which"));
  }
  return Error(EBUSY, absl::StrCat(std::string(what), " while disk is open: opened by ", Openers(),
                                   "; close it (a loop device: losetup -d, after umount) and try "
                                   "again; losetup -l and fuser -v show who holds it"));
}

}  // namespace rnullfs
