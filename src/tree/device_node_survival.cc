// What of a device's directory outlives the process.

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/visible.h"
#include "damage/damage.h"
#include "rnullfs/error.h"
#include "tree/device_node.h"

namespace rnullfs {

// A rule that is silent, or says what such a one takes, is not for a version that knows none.  Nor
// is what is damaged; to ask for that, here, is enough, as it takes a rule, and who takes a rule
// away saves.
bool DeviceNode::MayShowOther(const FaultRules& rules) const {
  const FaultRule anew;
  return disk_.medium()->damage().IsNeeded() ||
         std::any_of(rules.begin(), rules.end(), [&anew](const FaultRule& rule) {
           return IsSilent(rule.action) || rule.torn != anew.torn ||
                  rule.acknowledged != anew.acknowledged || rule.corrupt != anew.corrupt ||
                  rule.shift != anew.shift || rule.stored != anew.stored;
         });
}

// What has been done is done, also where there is no memory to note it.
void DeviceNode::Save() const {
  if (services_.survival == nullptr || disk_.medium() == nullptr) return;
  KillPoint("unsaved");
  try {
    DeviceRecord record;
    record.id = id_;
    record.name = name_;
    record.request = request_;
    record.unknown = unknown_;
    disk_.Save(record);
    saved_past_ = disk_.medium()->past() != nullptr;
    if (saved_past_) record.needs.emplace_back(kNeedsPast);
    if (record.origin.any()) record.needs.emplace_back(kNeedsOrigin);
    if (record.log.any()) record.needs.emplace_back(kNeedsLog);
    const bool notes_flushes = saved_past_ && record.config.config.history > 0;
    if (disk_.is_cut() || notes_flushes) record.needs.emplace_back(kNeedsCut);
    if (!record.config.faults.empty()) record.needs.emplace_back(kNeedsFaults);
    if (MayShowOther(record.config.faults)) record.needs.emplace_back(kNeedsDamage);
    doors_.Save(record);
    texts_.Save(record);
    owners_.Save(record);
    services_.survival->Save(record);
  } catch (const std::bad_alloc&) {
    services_.survival->SayUnsaved(ENOMEM);
  }
  KillPoint("saved");
}

absl::Status DeviceNode::Restore(const DeviceRecord& record, Disk::Memfds memfds,
                                 std::optional<Origin> origin) {
  LockGuard lock(mutex_);
  unknown_ = record.unknown;
  saved_past_ =
      std::find(record.needs.begin(), record.needs.end(), kNeedsPast) != record.needs.end();
  texts_.Restore(record);
  owners_.Restore(record);
  if (absl::Status disk = disk_.Restore(record, std::move(memfds), std::move(origin)); !disk.ok())
    return disk;
  const absl::Status doors = doors_.Restore(record);
  if (doors.ok() && disk_.is_cut()) {
    Save();  // what was not when its power was cut
    EndCut();
  }
  return doors.ok() ? doors
                    : Error(ErrnoOf(doors), absl::StrCat(Visible(name_), ": ", doors.message()));
}

}  // namespace rnullfs
