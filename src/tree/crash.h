// crash/ in a device's directory: every state that a power cut could have left, as a path.
//
//     crash/81734/         the cut at that number of the log (src/crash/cut.h): flushes, and writes
//                          with FUA, are listed; marks and `now` are symbolic links
//         units.json       which units are not certain, and what each may be
//     crash/81734/all/     a state of it, by the name that describes it (src/crash/choice.h), or
//                          one that mkdir has made and a list describes
//         disk             its disk, which can be written to
//         state.json       what of it is there, and what is lost
//         consulted        which units that are not certain have been read
//         without, only, choices     where mkdir has made it: the list that describes it
//
// Slots are the low 32 bits of a cut's number, and the numbers of states (src/crash/states.h), in
// a view for each kind of thing.
//
// Thread safety: as entry.h.
#ifndef RNULLFS_TREE_CRASH_H_
#define RNULLFS_TREE_CRASH_H_

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "crash/states.h"
#include "rnullfs/error.h"
#include "rnullfs/value_type.h"
#include "tree/entry.h"
#include "tree/marks.h"

namespace rnullfs {

// The first of its views, in this order.
enum CrashView : uint8_t {
  kCrashView = kMarkLinks + 1,
  kCrashCuts,
  kCrashStates,
  kCrashDisks,
  kCrashInfos,
  kCrashConsulted,
  kCrashWithout,
  kCrashOnly,
  kCrashChoices,
  kCrashNow,
  kCrashUnits,
};
inline constexpr uint8_t kCrashViews = kCrashUnits - kCrashView + 1;

// What has the place in crash/, as a Section has it.
std::shared_ptr<Entry> FindInCrash(const std::shared_ptr<DeviceNode>& node, Place place);

// A file in a state's directory; null where it has none that is called so.
struct CrashFile {
  std::string_view name;
  uint8_t view;
  bool of_made;  // only in what mkdir has made
};
absl::Span<const CrashFile> CrashFiles();
std::shared_ptr<Entry> MakeCrashFile(const std::shared_ptr<DeviceNode>& node, uint8_t view,
                                     const CrashStates::Known& state);

// Its list that describes it, open, as the view has it.
std::unique_ptr<FileHandle> OpenCrashChoice(const std::shared_ptr<DeviceNode>& node, uint8_t view,
                                            uint32_t id);

// A Directory or File of crash/: with the disk's owner and mode, as it tells what is in that; who
// may read or write a directory may look into it.
template <typename Kind>
class CrashEntry : public DeviceEntry<Kind> {
 public:
  CrashEntry(std::shared_ptr<DeviceNode> node, Place place, mode_t mask = 0777)
      : DeviceEntry<Kind>(std::move(node), place, kDiskMode), mask_(mask) {}
  bool lasting() const override { return false; }
  absl::Status ChangeOwnership(const OwnershipChange& change) override {
    if (!change.mode && !change.uid && !change.gid) return absl::OkStatus();
    return Error(EPERM, "crash: owner and mode are those of the device's disk; change that one's");
  }

 protected:
  Ownership ownership() const override {
    const Ownership disk = this->node_->OwnershipOf(kDiskSlot, kDiskMode);
    Ownership ownership = this->node_->OwnershipOf(this->place_, kDiskMode);
    constexpr bool kLooks = std::is_same_v<Kind, Directory>;
    ownership.mode = (disk.mode | (kLooks ? (disk.mode & 0444) >> 2 : 0)) & mask_;
    ownership.uid = disk.uid;
    ownership.gid = disk.gid;
    return ownership;
  }

 private:
  const mode_t mask_;
};

inline JsonValue JsonNumber(std::string digits, std::string key = {}) {
  return {JsonValue::Kind::kNumber, std::move(digits), std::move(key)};
}

// What a cut's units.json says.
std::string CrashUnitsText(const CrashCut& cut);

// What of a device there is to know.
std::shared_ptr<CrashStates> CrashStatesOf(DeviceNode& node);

}  // namespace rnullfs

#endif  // RNULLFS_TREE_CRASH_H_
