// Which way an open of `disk` goes: the part of a device's directory that decides between
// passthrough, where the kernel serves the memfd by itself, and the daemon.
//
// All opens that there are at a time go one way.  The kernel (fs/fuse/iomode.c) wants every open of
// a file to go through passthrough, and to the same backing file, while one does or while a write
// of another is under way; and none, while one is mapped that came to the daemon.  It looks when
// the opener runs, after our answer, and what it does not like is EIO.  So an open counts from our
// answer on, before the opener has it, until RELEASE, which the kernel sends when the open and its
// mapping have left its books.

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "rnullfs/error.h"
#include "tree/device_node.h"

namespace rnullfs {
namespace {

// Says which stage has to see requests: they must come to the daemon.
absl::Status CheckUnshaped(const DeviceConfig& config) {
  if (config.irqmode == IrqMode::kTimer && config.completion_nsec > 0) {
    return Error(EINVAL, absl::StrCat("irqmode is 2, so that every request waits ",
                                      config.completion_nsec, " ns (completion_nsec)"));
  }
  const std::pair<const char*, bool> stages[] = {
      {"mbps limits the bandwidth", config.mbps.any()},
      {"iops limits the requests", config.iops.any()},
      {"cache_size puts a cache in front of the disk", config.cache_size > 0},
      {"badblocks has bad sectors", !config.badblocks.empty()},
      {"timeout_inject lets requests get lost", config.timeout_inject.armed()},
      {"requeue_inject sends requests back", config.requeue_inject.armed()},
  };
  for (const auto& [why, armed] : stages) {
    if (armed) return Error(EINVAL, why);
  }
  return absl::OkStatus();
}

// As cp, a shell's redirection and dd (without seek=) open it, which write until ENOSPC says that
// the disk is full; in passthrough a write past the end is EPERM.  Loop devices, file systems'
// tools and fio read, too.
bool OnlyWrites(int flags) { return (flags & O_ACCMODE) == O_WRONLY; }

}  // namespace

absl::Status DeviceNode::PassthroughPossible(const DeviceConfig& config) const {
  const std::string obstacle = services_.passthrough_obstacle();
  if (!obstacle.empty()) return Error(EOPNOTSUPP, obstacle);
  if (!config.memory_backed) return Error(EINVAL, "memory_backed is 0");
  if (absl::Status status = CheckUnshaped(config); !status.ok()) return status;
  if (!pinned_ && !medium_->Fits(config)) {
    return Error(
        ENOSPC, absl::StrCat("its ", config.size, " MiB do not fit into what memory_limit leaves"));
  }
  return absl::OkStatus();
}

// Nothing may shape requests that the kernel answers already.
absl::Status DeviceNode::CheckStages(const DeviceConfig& next) const {
  if (passthrough_opens_ == 0) return absl::OkStatus();
  absl::Status unshaped = CheckUnshaped(next);
  if (unshaped.ok()) return unshaped;
  return Error(EBUSY,
               absl::StrCat(std::string(unshaped.message()),
                            ": not while disk is open through passthrough, where requests do not "
                            "come by; set datapath to daemon, or detach (losetup -d), first"));
}

absl::Status DeviceNode::CheckDataPath(const DeviceConfig& next) const {
  if (next.datapath != DataPath::kPassthrough) return absl::OkStatus();
  absl::Status possible = pinned_ ? CheckUnshaped(next) : PassthroughPossible(next);
  if (possible.ok()) return possible;
  return Error(ErrnoOf(possible),
               absl::StrCat("datapath: passthrough is not possible: ",
                            std::string(possible.message()), "; with auto the daemon serves it"));
}

absl::Status DeviceNode::Pin(bool wanted) {
  if (wanted == pinned_) return absl::OkStatus();
  if (wanted) {
    if (absl::Status status = medium_->store()->Share(); !status.ok()) return status;
  } else {
    medium_->store()->Unshare();
  }
  pinned_ = wanted;
  return absl::OkStatus();
}

std::string DeviceNode::WhyDaemon() const {
  if (!config_.power || passthrough_opens_ > 0) return {};
  if (std::string why = WhyNotPassthrough(); !why.empty()) return why;
  if (pinned_ || !DaemonOpen()) return {};
  return absl::StrCat(
      "disk is open through the daemon already, and all opens go one way: opened by ", Openers());
}

// Whatever is open.
std::string DeviceNode::WhyNotPassthrough() const {
  if (config_.datapath == DataPath::kDaemon) return "datapath is daemon";
  if (!backing_refused_.empty()) return backing_refused_;
  return std::string(PassthroughPossible(Current()).message());
}

// Without what only holds the disk for a request (HoldDisk()).
size_t DeviceNode::OpenCount() const {
  return std::count_if(opens_.begin(), opens_.end(),
                       [](const auto& open) { return !open.second.passing; });
}

bool DeviceNode::DaemonOpen() const { return OpenCount() > passthrough_opens_; }

// Whether those who have the disk open came another way than this open would take without them.
bool DeviceNode::WouldJoin(int flags) const {
  if (OpenCount() == 0 || pinned_) return false;
  const bool daemon = OnlyWrites(flags) || !WhyNotPassthrough().empty();
  return daemon != (passthrough_opens_ == 0);
}

void DeviceNode::NoteClosing(uint64_t handle) {
  LockGuard lock(mutex_);
  if (opens_.contains(handle)) closing_.insert(handle);
}

absl::StatusOr<DiskHandle> DeviceNode::OpenDisk(std::string opener, int flags,
                                                OpenBacking open_backing, uint64_t request,
                                                IfOpen if_open) {
  LockGuard lock(mutex_);
  for (const auto& [handle, open] : opens_) {
    if (request == 0 || open.request != request) continue;
    return DiskHandle{.number = handle, .backing_id = open.passthrough ? backing_id_ : 0};
  }
  if (device_ == nullptr) return Error(ENOENT, "disk: the device is off; write 1 to power first");
  if (WouldJoin(flags)) {
    const bool all_closing = closing_.size() == OpenCount();
    if (all_closing && if_open == IfOpen::kAgain) return Error(EAGAIN, "disk is being closed");
    if (all_closing) closing_.clear();  // duplicates were closed: nobody waits for that again
  }
  // Made first: when the kernel has been asked, nothing may fail for want of memory.
  std::map<uint64_t, OpenRecord> open = {
      {next_handle_, {.handle = next_handle_, .request = request, .opener = std::move(opener)}}};
  const int backing_id = OpenPassthrough(flags, open_backing);
  if (backing_id == 0 && config_.datapath == DataPath::kPassthrough) {
    return RefuseLocked(Error(EIO, absl::StrCat("disk: ", backing_refused_)));
  }
  const uint64_t handle = next_handle_++;
  open.begin()->second.passthrough = backing_id != 0;
  opens_.merge(open);
  Save();
  return DiskHandle{.number = handle, .backing_id = backing_id};
}

int DeviceNode::OpenPassthrough(int flags, OpenBacking open_backing) {
  if (passthrough_opens_ == 0) {
    if (!WhyDaemon().empty()) return 0;
    if (config_.datapath == DataPath::kAuto && OnlyWrites(flags)) return 0;
    PageStore& store = *medium_->store();
    if (absl::Status status = store.Share(); !status.ok()) {
      backing_refused_ = std::string(status.message());
      return 0;
    }
    KillPoint("shared");
    backing_id_ = open_backing(store.fd());
    KillPoint("backing-opened");
    if (backing_id_ == 0) {
      const int error = errno;
      store.Unshare();
      backing_refused_ =
          absl::StrCat("the kernel refused the memfd for passthrough: ", std::strerror(error));
      return 0;
    }
    if (!std::exchange(kernel_wrote_, true)) stored_seen_ = store.modified();
  }
  ++passthrough_opens_;
  return backing_id_;
}

absl::StatusOr<bool> DeviceNode::CollapseSome(bool sparse, uint64_t* offset, bool* changed) {
  LockGuard lock(mutex_);
  if (passthrough_opens_ == 0) {
    *offset = 0;
    return false;
  }
  PageStore& store = *medium_->store();
  if (*offset == 0) {
    const timespec written = store.modified();
    const bool same = written.tv_sec == collapsed_.tv_sec && written.tv_nsec == collapsed_.tv_nsec;
    if (same) {
      *offset = store.size_bytes();
      return false;
    }
    collapsed_ = written;
    *changed = true;
  }
  absl::StatusOr<uint64_t> next = store.Collapse(*offset, sparse);
  if (!next.ok()) return next.status();
  *offset = *next;
  return *offset < store.size_bytes();
}

bool DeviceNode::RecallSome() {
  LockGuard lock(mutex_);
  PageStore* const store = medium_ == nullptr ? nullptr : medium_->store();
  return store != nullptr && store->RecallSome();
}

absl::StatusOr<uint64_t> DeviceNode::HoldDisk(std::string holder) {
  LockGuard lock(mutex_);
  if (device_ == nullptr) return Error(ENOENT, "disk: the device is off; write 1 to power first");
  const uint64_t handle = next_handle_++;
  opens_[handle] = {.handle = handle, .opener = std::move(holder), .passing = true};
  return handle;
}

int DeviceNode::backing_id() const {
  LockGuard lock(mutex_);
  return backing_id_;
}

int DeviceNode::retired_backing_id() const {
  LockGuard lock(mutex_);
  return retired_backing_id_;
}

int DeviceNode::CloseDisk(uint64_t handle) {
  LockGuard lock(mutex_);
  const auto it = opens_.find(handle);
  if (it == opens_.end()) return 0;
  const bool passthrough = it->second.passthrough;
  opens_.erase(it);
  closing_.erase(handle);
  if (!InUse()) last_close_.notify_all();
  const bool last = passthrough && --passthrough_opens_ == 0;
  const int unused = last ? std::exchange(backing_id_, 0) : 0;
  if (last) retired_backing_id_ = unused;
  if (last) medium_->store()->Unshare();
  Save();
  return unused;
}

}  // namespace rnullfs
