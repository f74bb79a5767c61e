// The power goes while somebody has the disk open.

#include <cerrno>
#include <optional>

#include "rnullfs/error.h"
#include "tree/device_node.h"

namespace rnullfs {

absl::Status DeviceNode::Cut(const Writer& writer) {
  LockGuard lock(mutex_);
  if (std::optional<absl::Status> heard = texts_.Heard(writer.request)) return *heard;
  if (disk_.medium() == nullptr) return Error(ENOENT, "the device has been removed");
  absl::Status how = CheckCutLocked();
  if (how.ok()) how = CutLocked(writer.request);
  how = Conclude(how, {.writer = writer});
  EndCut();
  return how;
}

absl::Status DeviceNode::CutLocked(uint64_t request) {
  if (disk_.config().power) owners_.DiskModified();
  return disk_.Cut(request);
}

void DeviceNode::Interrupt() {
  LockGuard lock(mutex_);
  if (disk_.device() != nullptr && doors_.CheckCut().ok()) disk_.device()->Cut();
}

absl::Status DeviceNode::CutAnyway() {
  LockGuard lock(mutex_);
  const bool possible = disk_.medium() != nullptr && doors_.CheckCut().ok();
  if (!possible || !disk_.config().power) return absl::OkStatus();
  absl::Status how = Conclude(CutLocked(0));
  EndCut();
  return how;
}

absl::Status DeviceNode::CheckCutLocked() const {
  if (!disk_.config().power) return absl::OkStatus();
  absl::Status doors = doors_.CheckCut();
  return doors.ok() ? disk_.CheckCut() : doors;
}

// Of who is the last to have had a disk whose power was cut.  After that is saved: a disk that is
// off and open was cut.
void DeviceNode::EndCut() {
  if (!disk_.is_cut() || doors_.InUse()) return;
  static_cast<void>(doors_.Pin(DeviceConfig()));  // to let go always succeeds
  disk_.EndCut();
  Save();
}

}  // namespace rnullfs
