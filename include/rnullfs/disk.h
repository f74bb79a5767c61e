// A disk: what it is told to be, what became of it, what it has stored, and, while it is on, its
// controller.  It knows no front end: FUSE (src/tree), nbdkit (src/nbdkit) and programs that link
// the library stand on it.
//
// Its configuration is as it was written.  Its state is what requests have made of it: bad blocks,
// and what is left of faults.  Both are read as Settings and changed by Become(); what changes
// configuration changes all that it names or nothing.
//
// Thread safety: device(), Submit() and what it gives may be used by any thread, while somebody
// sees to it that the disk is not switched off; all other calls one at a time (the owner's lock).
// `complain` and `badblocks_spent` are called by threads that submit.
// Errors: EINVAL for what is not accepted; EBUSY for what cannot change while the disk is on;
// ENOSPC when the medium cannot be had; EFAULT when a fault is injected.  The sentence says what to
// do; last_error() keeps it.
#ifndef RNULLFS_DISK_H_
#define RNULLFS_DISK_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/attributes.h"
#include "rnullfs/device.h"
#include "rnullfs/device_counters.h"
#include "rnullfs/disk_origin.h"
#include "rnullfs/disk_past.h"
#include "rnullfs/index_pool.h"
#include "rnullfs/medium.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/memory_limit.h"
#include "rnullfs/settings.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

struct DeviceRecord;

class Disk {
 public:
  // All outlive it.
  struct Services {
    DeviceServices device;
    MemoryLimit& memory;
    MemfdKeeper& keeper = MemfdKeeper::None();
    IndexPool* indexes = nullptr;                     // null: every disk's index is 0
    DeviceCounters* counters = nullptr;               // null: they end with it
    Device::Complain complain = nullptr;              // what a user should hear of requests
    std::function<void()> badblocks_spent = nullptr;  // some have healed: the state has changed
    DiskOrigin::FindDisk find_disk = nullptr;         // another one, for `origin`
  };

  // `id` and `name` are what its memfds are called by.
  Disk(uint64_t id, const std::string& name, Services services);
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // --- What it is told to be -------------------------------------------------------------------

  Settings settings() const;
  const DeviceConfig& config() const { return config_; }

  // What a write of text to an attribute's file, and of a whole JSON object to config.json, would
  // make of `settings`.  A text that is not accepted is refused before one that has to wait for
  // the disk to be off, which also is EBUSY for the value that there is.
  absl::Status EditText(const Attribute& attribute, std::string_view text,
                        Settings& settings) const;
  static absl::Status EditJson(std::string_view text, Settings& settings);

  // Makes the disk as `next` says, power included; `seen` is what settings() were.  `ready` is
  // asked when nothing else can fail any more and nothing has changed yet, but for what a smaller
  // size has cut off; what it refuses does not happen.  False, and nothing has changed, when
  // requests have meanwhile changed what `next` differs in from `seen`: it is to be made again, of
  // what there is then.  `origin` is what `next` names, if that is another than before, and is
  // taken from the caller when it is done.
  using Ready = absl::FunctionRef<absl::Status()>;
  absl::StatusOr<bool> Become(const Settings& seen, const Settings& next, Ready ready,
                              std::optional<Origin>& origin);

  // For who asks what may be before Become(): what `next` is to have counts, too.  SetStoreLimit()
  // follows, as what has been written.
  void RaiseStoreLimit(const Settings& next) {
    memory_.SetLimit(std::max(config_.store_limit_bytes(), next.config.store_limit_bytes()));
  }
  void SetStoreLimit() { memory_.SetLimit(config_.store_limit_bytes()); }

  // The same for who has nothing to say to it: takes the text, and keeps the sentence.
  absl::Status Write(std::string_view attribute, std::string_view text);
  absl::Status WriteJson(std::string_view text);
  absl::Status Store(const Settings& wanted);
  std::string Json() const;

  // Why something was refused last, with a newline; empty since something else was taken.
  // Before all others, why what it shares with its origin cannot be read.
  std::string last_error() const;
  void Conclude(const absl::Status& how);
  void ForgetComplaint() {
    if (device_ != nullptr) device_->ForgetComplaint();
  }

  // --- What it does ----------------------------------------------------------------------------

  // Null while it is off.
  Device* device() const { return live_device_.load(std::memory_order_acquire); }

  // A request of who has a thread to wait with: 0 or an errno, when it has been answered.  What is
  // read goes to `to`; what lies past the end is left out, as by Submit().  ENXIO while the disk is
  // off.
  int Do(const Command& command, void* to = nullptr);

  // --- What it has -----------------------------------------------------------------------------

  DeviceCounters& counters() const { return counters_; }
  // Of all that it alone keeps.
  uint64_t memory_used() const { return memory_.used_bytes(); }
  Medium* medium() const { return medium_.get(); }  // null once removed
  DiskPast& past() { return past_; }
  const DiskPast& past() const { return past_; }
  DiskOrigin& origin() { return origin_; }
  const DiskOrigin& origin() const { return origin_; }
  PageStore* store() const { return medium_ == nullptr ? nullptr : medium_->store(); }

  // The power is cut, also while somebody has the disk: requests that come, or wait, fail with EIO,
  // and what no flush had covered is lost as cut_keeps says.  Nothing, where it is off, or where
  // the `request` is heard again (0: none).  ENOSPC when not all is as it should be; it is cut all
  // the same.  CheckCut() is asked before: EINVAL where it is not known what is to be lost.
  absl::Status CheckCut() const;
  absl::Status Cut(uint64_t request = 0);
  // From then on until EndCut(), which is for when nobody has it any more, there is a device.
  bool is_cut() const;
  void EndCut();

  void SwitchOff();
  // Frees all; for rmdir.  It is off.
  void Remove();

  // --- What outlives the process ---------------------------------------------------------------

  // Its part of a record.
  void Save(DeviceRecord& record) const;

  // Makes it what another process had left, before anybody uses it.  Each of the memfds may be
  // invalid; as PageStore::Adopt().  An error means that data are missing.
  struct Memfds {
    UniqueFd disk;
    UniqueFd moving_to;
    UniqueFd cache;
    UniqueFd past;
    UniqueFd marks;
    UniqueFd faults;
    UniqueFd damage;
  };
  absl::Status Restore(const DeviceRecord& record, Memfds memfds,
                       std::optional<Origin> origin = std::nullopt);

 private:
  absl::StatusOr<bool> SwitchOn(const Settings& seen, const Settings& next, Ready ready,
                                std::optional<Origin>& origin);
  absl::Status GoThrough(const DeviceConfig& config, const std::optional<Origin>& origin);
  absl::Status CheckPower() const;
  bool IsBeingCut() const;
  void HoldCut();
  void ForgetCut();
  absl::Status FinishCut();
  void NoteLoss(const CutLoss& loss);
  absl::Status RestoreStore(const DeviceRecord& record, Memfds& memfds);
  absl::Status PrepareRules(const Settings& seen, const Settings& next);
  void TakeRules();
  absl::Status LayDamage(const Settings& next);
  bool TakeBadBlocks(const Settings& seen, const Settings& next);
  using Edit = absl::FunctionRef<absl::Status(Settings&)>;
  absl::Status Update(Edit edit);
  absl::StatusOr<bool> TryUpdate(Edit edit, NewOrigin& origin);
  void Start(std::unique_ptr<Device> device) {
    device_ = std::move(device);
    live_device_.store(device_.get(), std::memory_order_release);
  }

  const uint64_t id_;
  const std::string name_;
  const Services services_;
  const std::unique_ptr<DeviceCounters> own_counters_;  // where none are given
  DeviceCounters& counters_;
  MemoryLimit memory_;  // store_limit, within the mount's
  DeviceConfig config_;
  std::string unknown_;  // a later version's attributes
  std::unique_ptr<Medium> medium_;
  DiskPast past_;
  DiskOrigin origin_;
  std::unique_ptr<Device> device_;
  std::atomic<Device*> live_device_{nullptr};  // device_.get(), for who submits
  std::string last_error_;
};

}  // namespace rnullfs

#endif  // RNULLFS_DISK_H_
