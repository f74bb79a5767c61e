// A device's directory and the record of it: what is saved while it is served, and how a process
// that comes after one that died makes it again.

#include <sys/stat.h>

#include <cerrno>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/visible.h"
#include "device/bad_block_table.h"
#include "rnullfs/error.h"
#include "tree/device_node.h"

namespace rnullfs {

DeviceRecord DeviceNode::Record() const {
  DeviceRecord record = {.id = id_,
                         .name = name_,
                         .request = request_,
                         .config = SavedConfig(),
                         .created = created_,
                         .ownership = ownership_,
                         .opens = {},
                         .next_handle = next_handle_,
                         .backing_id = backing_id_ != 0 ? backing_id_ : retired_backing_id_,
                         .last_error = last_error_,
                         .unfinished_json = edit_.state().text,
                         .writes_seen = writes_seen_,
                         .stored_seen = stored_seen_,
                         .unfinished_handle = edit_.state().handle,
                         .unfinished_begin = edit_.state().begin,
                         .unfinished_aside = edit_.state().aside,
                         .texts = texts_,
                         .unknown = unknown_};
  if (medium_ != nullptr && medium_->store() != nullptr) {
    struct stat status = {};
    fstat(medium_->store()->fd(), &status);
    record.memfd = status.st_ino;
  }
  for (const auto& [handle, open] : opens_) {
    if (!open.passing) record.opens.push_back(open);
  }
  return record;
}

// Faults as they were written: what has become of them since is in the counters, which survive.
DeviceConfig DeviceNode::SavedConfig() const {
  DeviceConfig saved = config_;
  if (medium_ != nullptr) saved.badblocks = medium_->bad_blocks().Get();
  return saved;
}

// What has been done is done, also where there is no memory to note it.
void DeviceNode::Save() const {
  if (services_.survival == nullptr || medium_ == nullptr) return;
  KillPoint("unsaved");
  try {
    services_.survival->Save(Record());
  } catch (const std::bad_alloc&) {
    services_.survival->SayUnsaved(ENOMEM);
  }
  KillPoint("saved");
}

void DeviceNode::SaveNew() const {
  LockGuard lock(mutex_);
  Save();
}

absl::Status DeviceNode::Restore(const DeviceRecord& record, Memfds memfds) {
  LockGuard lock(mutex_);
  counters_.statistics.ForgetInFlight();
  config_ = record.config;
  medium_->bad_blocks().Replace({}, std::exchange(config_.badblocks, {}));
  ownership_ = record.ownership;
  next_handle_ = record.next_handle;
  last_error_ = record.last_error;
  writes_seen_ = record.writes_seen;
  stored_seen_ = record.stored_seen;
  edit_ = ConfigEdit({.text = record.unfinished_json,
                      .begin = record.unfinished_begin,
                      .handle = record.unfinished_handle,
                      .aside = record.unfinished_aside});
  texts_ = record.texts;
  unknown_ = record.unknown;
  for (const OpenRecord& open : record.opens) {
    opens_[open.handle] = open;
    if (open.passthrough) ++passthrough_opens_;
  }
  (passthrough_opens_ > 0 ? backing_id_ : retired_backing_id_) = record.backing_id;
  KillPoint("restoring");
  if (memfds.disk.valid()) {
    absl::Status adopted = medium_->Adopt(std::move(memfds.disk), std::move(memfds.moving_to));
    if (!adopted.ok()) return adopted;
  } else if (record.memfd != 0) {
    return Error(EINVAL, absl::StrCat("the memory of ", Visible(name_), " is missing"));
  }
  if (!config_.power && !opens_.empty()) {
    return Error(EINVAL,
                 absl::StrCat("the saved state of ", Visible(name_), " is damaged: off, but open"));
  }
  const PageStore* const store = medium_->store();
  if (config_.power && config_.memory_backed &&
      (store == nullptr || store->size_bytes() >> 20 != config_.size)) {
    return Error(EINVAL,
                 absl::StrCat("the memory of ", Visible(name_), " is not of the disk's size"));
  }
  kernel_wrote_ = medium_->store() != nullptr;  // as far as we know
  if (!config_.power) {
    if (memfds.cache.valid()) KeeperOf(services_).Drop(memfds.cache.get());
    return absl::OkStatus();
  }
  absl::Status cache = medium_->AdoptCache(config_, std::move(memfds.cache));
  if (!cache.ok()) return cache;
  if (services_.indexes != nullptr) services_.indexes->Keep(config_.index);
  device_ = Device::Resume(config_, *medium_, counters_, services_.device, Complain());
  live_device_.store(device_.get(), std::memory_order_release);
  pinned_ = config_.datapath == DataPath::kPassthrough;
  for (const bool shared : {pinned_, passthrough_opens_ > 0}) {
    if (!shared) continue;
    if (medium_->store() == nullptr) return Error(EINVAL, "a disk without memory cannot be shared");
    if (absl::Status status = medium_->store()->ShareAgain(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace rnullfs
