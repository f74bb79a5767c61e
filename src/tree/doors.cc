#include "tree/doors.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "damage/damage.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// Says which stage has to see requests: they must come to the daemon.  A rule that is off sees
// none, and may be on soon.
absl::Status CheckUnshaped(const Settings& settings, bool soon = true) {
  const DeviceConfig& config = settings.config;
  const DeviceState& state = settings.state;
  if (config.irqmode == IrqMode::kTimer && config.completion_nsec > 0) {
    return Error(EINVAL, absl::StrCat("irqmode is 2, so that every request waits ",
                                      config.completion_nsec, " ns (completion_nsec)"));
  }
  const std::pair<const char*, bool> stages[] = {
      {"mbps limits the bandwidth", config.mbps.any()},
      {"iops limits the requests", config.iops.any()},
      {"cache_size puts a cache in front of the disk", config.cache_size > 0},
      {"history keeps what is overwritten", config.history > 0},
      {"badblocks has bad sectors", !state.badblocks.empty()},
      {"timeout_inject lets requests get lost", Armed(config.timeout_inject, state.timeout_inject)},
      {"requeue_inject sends requests back", Armed(config.requeue_inject, state.requeue_inject)},
      {"faults has rules", soon && !settings.faults.empty()},
      {"a fault rule is on", AnyEnabled(settings.faults)},
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

absl::Status Cut() {
  return Error(ENODEV,
               "disk: its power has been cut; it can be on again when nobody has it open any more");
}

absl::Status Off() { return Error(ENOENT, "disk: the device is off; write 1 to power first"); }

}  // namespace

absl::Status Doors::PassthroughPossible(const Settings& next) const {
  const std::string obstacle = obstacle_();
  if (!obstacle.empty()) return Error(EOPNOTSUPP, obstacle);
  if (!next.config.memory_backed) return Error(EINVAL, "memory_backed is 0");
  if (absl::Status status = CheckUnshaped(next); !status.ok()) return status;
  if (disk_.past().remembers()) {
    return Error(EINVAL, "the disk has snapshots or clones, for which what is overwritten is kept");
  }
  if (disk_.medium()->damage().any()) {
    return Error(EINVAL,
                 "the disk is damaged, of which the kernel would see nothing; damage lists where");
  }
  if (disk_.medium()->has_origin()) {
    return Error(
        EINVAL,
        "the disk shares contents with its origin; write nothing to origin to have its own");
  }
  const uint64_t store_limit = next.config.store_limit;
  const bool within = store_limit == 0 || next.config.size <= store_limit;
  if (!pinned_ && (!within || !disk_.medium()->Fits(next.config))) {
    return Error(ENOSPC,
                 absl::StrCat("its ", next.config.size,
                              " MiB do not fit into what memory_limit leaves, or store_limit"));
  }
  return absl::OkStatus();
}

// Nothing may shape requests that the kernel answers already.
absl::Status Doors::CheckStages(const Settings& next) const {
  if (opens_.passthrough() == 0) return absl::OkStatus();
  absl::Status unshaped = CheckUnshaped(next, /*soon=*/false);
  if (unshaped.ok()) return unshaped;
  return Error(EBUSY,
               absl::StrCat(std::string(unshaped.message()),
                            ": not while disk is open through passthrough, where requests do not "
                            "come by; set datapath to daemon, or detach (losetup -d), first"));
}

absl::Status Doors::CheckDataPath(const Settings& next) const {
  if (next.config.datapath != DataPath::kPassthrough) return absl::OkStatus();
  absl::Status possible = pinned_ ? CheckUnshaped(next) : PassthroughPossible(next);
  if (possible.ok()) return possible;
  return Error(ErrnoOf(possible),
               absl::StrCat("datapath: passthrough is not possible: ",
                            std::string(possible.message()), "; with auto the daemon serves it"));
}

bool Doors::InUse() const {
  return !opens_.empty() || (disk_.store() != nullptr && disk_.store()->Held());
}

bool Doors::KernelMayWrite() const {
  return pinned_ || opens_.passthrough() > 0 || (disk_.store() != nullptr && disk_.store()->Held());
}

std::string Doors::InTheWay(const DeviceConfig& next) const {
  if (next.power && disk_.is_cut()) return "power: it has been cut, and cannot be on again";
  if (!disk_.config().power) return {};
  if (!next.power) return InUse() ? "power: cannot switch off" : "";
  // The kernel would answer EIO to the opens that passthrough is promised to.
  const bool promised = next.datapath == DataPath::kPassthrough;
  if (promised && !pinned_ && opens_.by_daemon()) {
    return "datapath: passthrough is for all opens or none, not";
  }
  const bool begins = next.history > 0 && disk_.config().history == 0;
  if (begins && !pinned_ && KernelMayWrite()) {
    return "history: nothing is kept of what the kernel overwrites (passthrough)";
  }
  return {};
}

absl::Status Doors::CheckCut() const {
  const bool mapped = disk_.store() != nullptr && disk_.store()->Held();
  if (opens_.passthrough() == 0 && !mapped) return absl::OkStatus();
  return Error(EBUSY,
               "power: it cannot be cut while the kernel serves the disk by itself (passthrough); "
               "close it, mappings too, and write daemon to datapath, or a size (MiB) to history, "
               "before it is "
               "opened again");
}

absl::Status Doors::CheckRemoval() const {
  if (InUse()) return Busy("rmdir: cannot remove the device");
  const std::string users = disk_.past().Users();
  if (users.empty()) return absl::OkStatus();
  return Error(EBUSY, absl::StrCat("rmdir: cannot remove the device: what it was is in use by ",
                                   users, "; end that first"));
}

absl::Status Doors::Busy(std::string_view what) const {
  if (opens_.empty()) {
    return Error(EBUSY, absl::StrCat(std::string(what),
                                     " while disk is mapped (mmap) by a process; end it, or have "
                                     "it unmap the disk, and try again; grep -l 'memfd:",
                                     memfd_, "' /proc/*/maps shows which"));
  }
  return Error(EBUSY,
               absl::StrCat(std::string(what), " while disk is open: opened by ", opens_.Openers(),
                            "; close it (a loop device: losetup -d, after umount) and try "
                            "again; losetup -l and fuser -v show who holds it"));
}

absl::Status Doors::Pin(const DeviceConfig& next) {
  const bool wanted = next.power && next.datapath == DataPath::kPassthrough;
  if (wanted == pinned_) return absl::OkStatus();
  if (wanted) {
    if (absl::Status status = disk_.store()->Share(); !status.ok()) return status;
  } else {
    disk_.store()->Unshare();
  }
  pinned_ = wanted;
  return absl::OkStatus();
}

std::string Doors::WhyDaemon() const {
  if (!disk_.config().power || opens_.passthrough() > 0) return {};
  if (std::string why = WhyNotPassthrough(); !why.empty()) return why;
  if (pinned_ || !opens_.by_daemon()) return {};
  return absl::StrCat(
      "disk is open through the daemon already, and all opens go one way: opened by ",
      opens_.Openers());
}

// Whatever is open.
std::string Doors::WhyNotPassthrough() const {
  if (disk_.config().datapath == DataPath::kDaemon) return "datapath is daemon";
  if (!backing_refused_.empty()) return backing_refused_;
  return std::string(PassthroughPossible(disk_.settings()).message());
}

// Whether those who have the disk open came another way than this open would take without them.
bool Doors::WouldJoin(int flags) const {
  if (opens_.count() == 0 || pinned_) return false;
  const bool daemon = OnlyWrites(flags) || !WhyNotPassthrough().empty();
  return daemon != (opens_.passthrough() == 0);
}

absl::StatusOr<DiskHandle> Doors::Open(std::string opener, int flags, OpenBacking open_backing,
                                       uint64_t request, bool again) {
  if (const OpenRecord* open = opens_.MadeBy(request)) {
    return DiskHandle{.number = open->handle, .backing_id = open->passthrough ? backing_id_ : 0};
  }
  if (disk_.is_cut()) return Cut();
  if (disk_.device() == nullptr) return Off();
  if (WouldJoin(flags) && opens_.all_closing()) {
    if (again) return Error(EAGAIN, "disk is being closed");
    opens_.ForgetClosing();
  }
  Opens::Prepared open = opens_.Prepare(request, std::move(opener));
  const absl::StatusOr<int> backing_id = OpenKernels(flags, open_backing);
  if (!backing_id.ok()) return backing_id.status();
  const uint64_t handle = opens_.Add(std::move(open), *backing_id != 0);
  return DiskHandle{.number = handle, .backing_id = *backing_id};
}

// What the kernel calls the memfd, or 0 where the open goes to the daemon.
absl::StatusOr<int> Doors::OpenKernels(int flags, OpenBacking open_backing) {
  const bool insists = disk_.config().datapath == DataPath::kPassthrough;
  if (opens_.passthrough() == 0 && WhyDaemon().empty() && (insists || !OnlyWrites(flags))) {
    OpenBackingOf(*disk_.store(), open_backing);
  }
  if (backing_id_ == 0 && insists) return Error(EIO, absl::StrCat("disk: ", backing_refused_));
  return backing_id_;
}

void Doors::OpenBackingOf(PageStore& store, OpenBacking open_backing) {
  if (absl::Status status = store.Share(); !status.ok()) {
    backing_refused_ = std::string(status.message());
    return;
  }
  KillPoint("shared");
  backing_id_ = open_backing(store.fd());
  KillPoint("backing-opened");
  if (backing_id_ != 0) {
    kernel_wrote_ = true;
    return;
  }
  const int error = errno;
  store.Unshare();
  backing_refused_ =
      absl::StrCat("the kernel refused the memfd for passthrough: ", std::strerror(error));
}

absl::StatusOr<uint64_t> Doors::Hold(std::string holder) {
  if (disk_.is_cut()) return Cut();
  if (disk_.device() == nullptr) return Off();
  return opens_.Hold(std::move(holder));
}

int Doors::Close(uint64_t handle) {
  const std::optional<OpenRecord> closed = opens_.Close(handle);
  if (!closed.has_value() || !closed->passthrough || opens_.passthrough() > 0) return 0;
  retired_backing_id_ = std::exchange(backing_id_, 0);
  disk_.store()->Unshare();
  return retired_backing_id_;
}

absl::StatusOr<bool> Doors::CollapseSome(bool sparse, uint64_t* offset, bool* changed) {
  if (opens_.passthrough() == 0) {
    *offset = 0;
    return false;
  }
  PageStore& store = *disk_.store();
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

void Doors::Save(DeviceRecord& record) const {
  opens_.Save(record);
  record.backing_id = backing_id_ != 0 ? backing_id_ : retired_backing_id_;
}

absl::Status Doors::Restore(const DeviceRecord& record) {
  opens_.Restore(record);
  const bool passing = opens_.passthrough() > 0;
  (passing ? backing_id_ : retired_backing_id_) = record.backing_id;
  kernel_wrote_ = disk_.store() != nullptr;  // as far as we know
  if (!disk_.config().power) {
    return absl::OkStatus();
  }
  pinned_ = disk_.config().datapath == DataPath::kPassthrough;
  for (const bool shared : {pinned_, passing}) {
    if (!shared) continue;
    if (disk_.store() == nullptr) return Error(EINVAL, "a disk without memory cannot be shared");
    if (absl::Status status = disk_.store()->ShareAgain(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace rnullfs
