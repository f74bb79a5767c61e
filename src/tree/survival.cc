#include "tree/survival.h"

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// The log's key of the mount's record; a device's is its id.
constexpr uint64_t kMountKey = 0;

// What a page of counters looks like.  One that a program of another layout has left starts anew.
constexpr uint64_t kCountersLayout = sizeof(DeviceCounters) << 8 | kOpCount;
static_assert(sizeof(DeviceCounters) <= RecordLog::kPageSize);

}  // namespace

absl::StatusOr<std::unique_ptr<Survival>> Survival::Create(MemfdKeeper& keeper) {
  absl::StatusOr<std::unique_ptr<RecordLog>> log = RecordLog::Create();
  if (!log.ok()) return log.status();
  if (absl::Status kept = KeepElsewhere(keeper, (*log)->fd()); !kept.ok()) return kept;
  std::unique_ptr<Survival> survival(new Survival(*std::move(log), keeper));
  survival->UpdateMount([](MountRecord& mount) { mount.counters_layout = kCountersLayout; });
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
  return has_mount ? absl::OkStatus() : Error(EINVAL, "the saved state knows no mount");
}

void Survival::TakeOver() {
  if (mount().counters_layout == kCountersLayout) return;
  Log("the counters in stats.json start anew: this version keeps them in another way");
  for (const DeviceRecord& device : devices_) {
    const Counters counters = CountersOf(device.id);
    if (counters != nullptr)
      std::memset(static_cast<void*>(counters.get()), 0, sizeof(DeviceCounters));
  }
  UpdateMount([](MountRecord& mount) { mount.counters_layout = kCountersLayout; });
}

MountRecord Survival::mount() const {
  const LockGuard lock(mutex_);
  return mount_;
}

void Survival::UpdateMount(absl::FunctionRef<void(MountRecord&)> change) {
  const LockGuard lock(mutex_);
  change(mount_);
  Put(kMountKey, mount_);
}

void Survival::Save(const DeviceRecord& device) { Put(device.id, device); }

void Survival::Forget(uint64_t id) { log_->Erase(id); }

Survival::Counters Survival::CountersOf(uint64_t id) {
  // A page of zeros is a DeviceCounters that has counted nothing.
  return Counters(static_cast<DeviceCounters*>(log_->MapPage(id)));
}

template <typename Record>
void Survival::Put(uint64_t key, const Record& record) {
  int error = ENOMEM;
  try {
    error = log_->Put(key, WriteRecord(record));
  } catch (const std::bad_alloc&) {  // ENOMEM as well
  }
  if (error != 0) SayUnsaved(error);
}

void Survival::SayUnsaved(int error) {
  if (complained_.exchange(true)) return;
  Log(absl::StrCat("what has changed could not be saved (", std::strerror(error),
                   "): a worker that takes over would not know it"));
}

}  // namespace rnullfs
