// What of a disk outlives the process.

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/visible.h"
#include "device/bad_block_table.h"
#include "device/fault_rule_table.h"
#include "device/faults.h"
#include "disk/changes.h"
#include "records/state_records.h"
#include "rnullfs/disk.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

absl::Status Damaged(std::string_view name, std::string_view what) {
  return Error(EINVAL, absl::StrCat("the memory of ", Visible(name), std::string(what)));
}

}  // namespace

void Disk::Save(DeviceRecord& record) const {
  record.config = settings();
  // As written: what has become of it is counted in memory that outlives us as well.
  for (const FaultPoint& point : kFaultPoints) {
    record.config.state.*point.left = Whole(config_.*point.attr);
  }
  record.last_error = last_error_;
  if (origin_.key() != nullptr) record.origin = *origin_.key();
  if (store() == nullptr) {
    if (origin_.log_key() != nullptr) record.log = *origin_.log_key();
    return;
  }
  struct stat status = {};
  fstat(store()->fd(), &status);
  record.memfd = status.st_ino;
}

absl::Status Disk::Restore(const DeviceRecord& record, Memfds memfds,
                           std::optional<Origin> origin) {
  counters_.statistics.ForgetInFlight();
  config_ = record.config.config;
  unknown_ = record.config.unknown;
  last_error_ = record.last_error;
  medium_->bad_blocks().Replace({}, record.config.state.badblocks);
  for (const FaultPoint& point : kFaultPoints)
    config_.*point.attr = AsWritten(point, record.config);
  SetStoreLimit();
  if (is_cut()) config_.power = false;  // it died before that was saved
  if (!config_.power && !record.opens.empty()) HoldCut();
  KillPoint("restoring");
  origin_.Restore(std::move(origin));
  if (absl::Status store = RestoreStore(record, memfds); !store.ok()) return store;
  absl::Status rules = medium_->fault_rules().Adopt(record.config.faults, std::move(memfds.faults));
  if (!rules.ok()) return rules;
  if (!config_.power) {
    if (memfds.cache.valid()) services_.keeper.Drop(memfds.cache.get());
    if (store() != nullptr) store()->EndHolding();  // as it would have done
    absl::Status past = past_.Restore(config_.history, std::move(memfds.past));
    return past.ok() ? medium_->AdoptDamage(std::move(memfds.damage), is_cut()) : past;
  }
  // It died where it made it larger: what is new may have been used since.
  if (store() != nullptr && config_.memory_backed && !config_.wants_cache()) {
    config_.size = std::max(config_.size, store()->size_bytes() >> 20);
  }
  if (config_.memory_backed &&
      (store() == nullptr || store()->size_bytes() >> 20 != config_.size)) {
    return Damaged(name_, " is not of the disk's size");
  }
  absl::Status found = medium_->AdoptCache(config_, std::move(memfds.cache));
  if (found.ok()) found = past_.Restore(config_.history, std::move(memfds.past));
  if (found.ok()) found = medium_->AdoptDamage(std::move(memfds.damage), IsBeingCut());
  if (found.ok()) found = LayDamage(record.config);
  if (!found.ok()) return found;
  if (services_.indexes != nullptr) services_.indexes->Keep(config_.index);
  Start(Device::Resume(config_, *medium_, counters_, services_.device, services_.complain));
  if (IsBeingCut()) static_cast<void>(FinishCut());  // who asked for it asks again
  return absl::OkStatus();
}

// Marks without a store, and a store without marks, are what a death leaves where a clone begins
// and where it ends to be one.
absl::Status Disk::RestoreStore(const DeviceRecord& record, Memfds& memfds) {
  const bool clone = memfds.marks.valid() || record.origin.any();
  if (clone && record.memfd == 0 && memfds.disk.valid()) {
    services_.keeper.Drop(memfds.disk.get());  // nobody has used it yet
    memfds.disk.Reset();
  }
  if (memfds.marks.valid() && !record.origin.any()) {  // it stood alone when that was saved
    services_.keeper.Drop(memfds.marks.get());
    memfds.marks.Reset();
  }
  if (memfds.disk.valid()) {
    absl::Status adopted = medium_->Adopt(std::move(memfds.disk), std::move(memfds.moving_to));
    if (!adopted.ok()) return adopted;
  } else if (record.memfd != 0) {
    return Damaged(name_, " is missing");
  }
  const bool shares = store() == nullptr || memfds.marks.valid();
  if (record.origin.any() && shares && !medium_->has_origin()) {
    return Damaged(name_, " has an origin that is missing");
  }
  if (record.log.any() && origin_.log_key() == nullptr) {
    return Damaged(name_, " has a log that is missing");
  }
  absl::Status adopted = medium_->AdoptClone(std::move(memfds.marks));
  if (adopted.ok()) origin_.Settle();
  return adopted;
}

}  // namespace rnullfs
