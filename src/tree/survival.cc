#include "tree/survival.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "device/counter_list.h"
#include "rnullfs/error.h"
#include "tree/inode.h"

namespace rnullfs {
namespace {

// The log's key of the mount's record; a device's is its id.
constexpr uint64_t kMountKey = 0;
static_assert(kDeviceIdMax <= RecordLog::kKeyMax);

// What versions without a table of counters called a page that is as FirstCounterTable() has it:
// its bytes, and how many operations there are.  A page of another layout starts anew.
constexpr uint64_t kCountersLayout = 3200 << 8 | 6;

// Not more removals than this can be under way, and so unanswered, at once.
constexpr size_t kRemovalsMax = 256;

}  // namespace

absl::StatusOr<std::unique_ptr<Survival>> Survival::Create(MemfdKeeper& keeper) {
  absl::StatusOr<std::unique_ptr<RecordLog>> log = RecordLog::Create();
  if (!log.ok()) return log.status();
  if (absl::Status kept = KeepElsewhere(keeper, (*log)->fd()); !kept.ok()) return kept;
  std::unique_ptr<Survival> survival(new Survival(*std::move(log), keeper));
  survival->UpdateMount([](MountRecord& mount) { mount.counters_layout = kCountersLayout; });
  if (absl::Status table = survival->ReadCounters(survival->mount()); !table.ok()) return table;
  survival->TakeOver();
  return survival;
}

absl::StatusOr<std::unique_ptr<Survival>> Survival::Open(UniqueFd memfd, MemfdKeeper& keeper) {
  absl::StatusOr<std::unique_ptr<RecordLog>> log = RecordLog::Open(std::move(memfd));
  if (!log.ok()) return log.status();
  std::unique_ptr<Survival> survival(new Survival(*std::move(log), keeper));
  if (absl::Status status = survival->Read(); !status.ok()) return status;
  return survival;
}

absl::Status Survival::Read() {
  bool has_mount = false;
  for (const auto& [key, bytes] : log_->All()) {
    if (key == kMountKey) {
      absl::StatusOr<MountRecord> mount = ReadMountRecord(bytes);
      if (!mount.ok()) return mount.status();
      const LockGuard lock(mutex_);
      mount_ = *std::move(mount);
      has_mount = true;
      continue;
    }
    absl::StatusOr<DeviceRecord> device = ReadDeviceRecord(bytes);
    if (!device.ok()) return device.status();
    if (device->id != key) return Error(EINVAL, "the saved state has a disk under a wrong number");
    devices_.push_back(*std::move(device));
  }
  if (!has_mount) return Error(EINVAL, "the saved state knows no mount");
  return ReadCounters(mount());
}

absl::Status Survival::ReadCounters(const MountRecord& mount) {
  const bool anew = mount.counters_layout != kCountersLayout;
  const bool has_table = !anew && !mount.counters.empty();
  absl::StatusOr<CounterTable> table =
      CounterTable::Make(CounterRows(), has_table ? mount.counters : FirstCounterTable(), anew);
  if (!table.ok()) return table.status();
  table_.emplace(*std::move(table));
  return absl::OkStatus();
}

void Survival::TakeOver() {
  UpdateMount([this](MountRecord& mount) {
    if (mount.counters_layout != kCountersLayout) {
      Log("the counters in stats.json start anew: this version keeps them in another way");
    }
    mount.counters_layout = kCountersLayout;
    mount.counters = table_->Texts();
  });
}

MountRecord Survival::mount() const {
  const LockGuard lock(mutex_);
  return mount_;
}

void Survival::UpdateMount(absl::FunctionRef<void(MountRecord&)> change) {
  const LockGuard lock(mutex_);
  mount_saved_ = false;  // also when the change runs out of memory halfway
  change(mount_);
  PutMount();
}

// What failed is done again before the next record: without the table of counters, say, who takes
// over would read another one's.
void Survival::PutMount() { mount_saved_ = Put(kMountKey, mount_); }

void Survival::NoteRemoval(uint64_t request) {
  if (request == 0 || RemovedBy(request)) return;  // it is tried again
  UpdateMount([request](MountRecord& mount) {
    if (mount.removals.size() == kRemovalsMax) mount.removals.erase(mount.removals.begin());
    mount.removals.push_back(request);
  });
}

bool Survival::RemovedBy(uint64_t request) const {
  const LockGuard lock(mutex_);
  const std::vector<uint64_t>& removals = mount_.removals;
  return request != 0 && std::find(removals.begin(), removals.end(), request) != removals.end();
}

void Survival::Save(const DeviceRecord& device) {
  {
    const LockGuard lock(mutex_);
    if (!mount_saved_) PutMount();
    // Better a change less than a disk whose number the mount's record does not know.
    if (!mount_saved_) return;
  }
  Put(device.id, device);
}

void Survival::Forget(uint64_t id) { log_->Erase(id); }

DeviceCounters Survival::CountersOf(uint64_t id) const {
  return DeviceCounters(*table_, [log = log_.get(), id](uint64_t at, uint64_t bytes) {
    return log->MapCounters(id, at, bytes);
  });
}

template <typename Record>
bool Survival::Put(uint64_t key, const Record& record) {
  int error = ENOMEM;
  try {
    error = log_->Put(key, WriteRecord(record));
  } catch (const std::bad_alloc&) {  // ENOMEM as well
  }
  if (error != 0) SayUnsaved(error);
  return error == 0;
}

void Survival::SayUnsaved(int error) {
  if (complained_.exchange(true)) return;
  Log(absl::StrCat("what has changed could not be saved (", std::strerror(error),
                   "): a worker that takes over would not know it"));
}

}  // namespace rnullfs
