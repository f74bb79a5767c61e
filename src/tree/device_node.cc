#include "tree/device_node.h"

#include <cerrno>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/memfd_name.h"
#include "base/visible.h"
#include "disk/changes.h"
#include "rnullfs/error.h"
#include "tree/inode.h"

namespace rnullfs {
namespace {

// Zero while it is off, but for one whose power was cut and that somebody has still.
uint64_t SizeOf(const Disk& disk) {
  if (disk.device() != nullptr) return disk.device()->size_bytes();
  return disk.is_cut() && disk.store() != nullptr ? disk.store()->size_bytes() : 0;
}

absl::Status Removed() { return Error(ENOENT, "the device has been removed"); }

// For who has asked for it, and nobody else to see.
absl::Status Again() { return Error(EAGAIN, "disk is open"); }

// Text that a C program wrote with the NUL that ends it.
std::string_view WithoutNuls(std::string_view text) {
  while (text.ends_with('\0')) text.remove_suffix(1);
  return text;
}

}  // namespace

DeviceNode::DeviceNode(uint64_t id, std::string name, const Ownership& ownership,
                       NodeServices services, uint64_t request)
    : id_(id),
      name_(std::move(name)),
      services_(std::move(services)),
      request_(request),
      counters_(services_.survival == nullptr ? DeviceCounters()
                                              : services_.survival->CountersOf(id)),
      disk_(id_, name_, DiskServices()),
      doors_(disk_, DiskMemfdName(id_, name_), services_.passthrough_obstacle),
      owners_(ownership, disk_, services_.device.clock) {}

// Requests that are refused leave a sentence, as writes to attributes do.
Disk::Services DeviceNode::DiskServices() {
  return {
      .device = services_.device,
      .memory = services_.memory,
      .keeper = services_.survival == nullptr ? MemfdKeeper::None() : services_.survival->keeper(),
      .indexes = services_.indexes,
      .counters = &counters_,
      .complain =
          [this](const std::string& sentence) {
            static_cast<void>(Refuse(Error(EINVAL, sentence)));
          },
      .badblocks_spent = [this] { SaveNew(); },
      .find_disk = [this](const std::string& text, const Requester& who,
                          bool again) { return services_.find_disk(text, who, name_, again); }};
}

// --- Changes -----------------------------------------------------------------------------------

absl::Status DeviceNode::Store(const Settings& wanted) {
  return Update([&](Settings& next) {
    Want(wanted, next);
    return absl::OkStatus();
  });
}

absl::Status DeviceNode::Update(Edits edit, const TextWrite& write) {
  const Writer& writer = write.writer;
  NewOrigin origin(disk_origin(), writer.who, writer.if_open == IfOpen::kAgain);
  while (true) {
    const absl::Status found = origin.Search();
    LockGuard lock(mutex_);
    if (std::optional<absl::Status> heard = texts_.Heard(writer.request)) return *heard;
    if (disk_.medium() == nullptr) return Removed();
    const absl::StatusOr<bool> done = found.ok() ? TryUpdate(edit, write, origin) : found;
    if (done.ok() && !*done) continue;
    if (ErrnoOf(done.status()) == EAGAIN) return done.status();
    absl::Status how = Conclude(done.status(), write);
    disk_.origin().LetGo();
    return how;
  }
}

absl::StatusOr<bool> DeviceNode::TryUpdate(Edits edit, const TextWrite& write, NewOrigin& origin) {
  EndCut();
  const Settings seen = disk_.settings();
  Settings next = seen;
  origin.Fit(next);
  if (absl::Status status = edit(next); !status.ok()) return status;
  if (origin.Lacks(seen, next)) return false;
  if (absl::Status status = CheckHangs(next); !status.ok()) return status;
  if (const std::string why = doors_.InTheWay(next.config); !why.empty()) {
    return write.writer.if_open == IfOpen::kAgain ? Again() : doors_.Busy(why);
  }
  // Before the change: were it made and not saved, the write would come again as one that puts
  // back what is there, and leave the reason.
  if (!write.piece && !write.put_back && !disk_.last_error().empty()) {
    disk_.Conclude(absl::OkStatus());
    Save();
  }
  absl::StatusOr<bool> done = Switch(seen, next, origin);
  if (done.ok() && *done && !(next == seen)) owners_.DirectoryModified();
  return done;
}

absl::Status DeviceNode::CheckHangs(const Settings& next) const {
  if (services_.waits_block == nullptr || !services_.waits_block()) return absl::OkStatus();
  for (const FaultRule& rule : next.faults) {
    if (!rule.enabled || rule.action != FaultAction::kHang) continue;
    return Error(EOPNOTSUPP, absl::StrCat("faults: ", rule.name,
                                          ": a request that hangs would hold up its processor's "
                                          "others, over a ring (transport=uring); mount without"));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> DeviceNode::Switch(const Settings& seen, const Settings& next,
                                        NewOrigin& origin) {
  const bool goes_on = disk_.config().power && next.config.power;
  const bool starts = !disk_.config().power && next.config.power;
  const bool sizes = starts || (goes_on && next.config.size != disk_.config().size);
  disk_.RaiseStoreLimit(next);
  const absl::Cleanup limit = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { disk_.SetStoreLimit(); };
  if (goes_on) {
    if (absl::Status status = doors_.CheckStages(next); !status.ok()) return status;
  }
  // Before the medium takes the new size: what that cuts off would be lost.
  if (starts) {
    if (absl::Status status = doors_.CheckDataPath(next); !status.ok()) return status;
  }
  if (sizes && doors_.kernel_wrote()) owners_.NoteDiskWrites(/*kernel_wrote=*/true);
  const auto ready = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    absl::Status possible = goes_on ? doors_.CheckDataPath(next) : absl::OkStatus();
    return possible.ok() ? doors_.Pin(next.config) : possible;
  };
  absl::StatusOr<bool> done = disk_.Become(seen, next, ready, origin.found());
  if (!sizes || !done.ok()) return done;
  if (starts) doors_.Forget();
  if (doors_.kernel_wrote()) owners_.SeeDisk();  // to size it was no write
  return done;
}

absl::Status DeviceNode::Conclude(const absl::Status& how, const TextWrite& write) {
  texts_.Conclude(how, write);
  if (how.ok() && (write.piece || write.put_back)) {
    disk_.ForgetComplaint();
  } else {
    disk_.Conclude(how);
  }
  Save();
  return how;
}

absl::Status DeviceNode::StoreText(const Attribute& attribute, std::string_view text,
                                   const Writer& writer) {
  TextWrite write = {.writer = writer};
  const auto store = [&](Settings& next) ABSL_NO_THREAD_SAFETY_ANALYSIS {  // Update() holds mutex_
    write.put_back = text == ShowAttribute(attribute, next);
    absl::Status status = disk_.EditText(attribute, text, next);
    if (ErrnoOf(status) != EBUSY) return status;
    absl::Status stages = doors_.CheckStages(next);
    return stages.ok() ? status : stages;
  };
  return Update(store, write);
}

// What is saved until the write has ended is the text without this piece: a request that has to be
// heard again finds it as it was.
absl::Status DeviceNode::WriteJson(ConfigEdit::Piece piece, const Writer& writer) {
  TextWrite write = {.writer = writer};
  piece.data = WithoutNuls(piece.data);
  const auto take = [&](Settings& next) ABSL_NO_THREAD_SAFETY_ANALYSIS {  // as above
    write.edit = texts_.edit();
    write.piece = true;
    const std::string shown = disk_.Json();
    return write.edit->Write(piece, shown, [&](std::string_view whole) {
      write.piece = false;
      write.put_back = whole == shown;
      return Disk::EditJson(whole, next);
    });
  };
  return Update(take, write);
}

absl::Status DeviceNode::Apply(const Writer& writer, Change change) {
  LockGuard lock(mutex_);
  if (std::optional<absl::Status> heard = texts_.Heard(writer.request)) return *heard;
  if (disk_.medium() == nullptr) return Removed();
  absl::Status done = change(disk_, doors_, owners_);
  return ErrnoOf(done) == EAGAIN ? done : Conclude(done, {.writer = writer});
}

absl::Status DeviceNode::FlushJson(uint64_t handle) {
  LockGuard lock(mutex_);
  const ConfigEdit& edit = texts_.edit();
  if (edit.state().handle != handle || edit.unfinished().empty()) return absl::OkStatus();
  Settings next = disk_.settings();
  return Conclude(Disk::EditJson(edit.unfinished(), next));
}

absl::Status DeviceNode::Retire(IfOpen if_open) {
  LockGuard lock(mutex_);
  if (disk_.medium() == nullptr) return Removed();
  EndCut();
  if (absl::Status busy = doors_.CheckRemoval(); !busy.ok()) {
    return if_open == IfOpen::kAgain ? Again() : Conclude(busy);
  }
  static_cast<void>(doors_.Pin(DeviceConfig()));  // to let go always succeeds
  disk_.SwitchOff();
  // First: without a record a memfd is dropped by who takes over, the other way round data are
  // lost.
  if (services_.survival != nullptr) services_.survival->Forget(id_);
  KillPoint("forgotten");
  disk_.Remove();
  KillPoint("removed");
  return absl::OkStatus();
}

// --- Opens -------------------------------------------------------------------------------------

absl::StatusOr<DiskHandle> DeviceNode::OpenDisk(std::string opener, int flags,
                                                OpenBacking open_backing, uint64_t request,
                                                IfOpen if_open) {
  LockGuard lock(mutex_);
  EndCut();
  const bool kernel_wrote = doors_.kernel_wrote();
  absl::StatusOr<DiskHandle> handle =
      doors_.Open(std::move(opener), flags, open_backing, request, if_open == IfOpen::kAgain);
  const int error = ErrnoOf(handle.status());
  const bool says = error == EIO || (error == ENODEV && disk_.last_error().empty());
  if (says) return Conclude(handle.status());
  if (!handle.ok()) return handle;
  if (!kernel_wrote && doors_.kernel_wrote()) owners_.SeeDisk();
  Save();
  return handle;
}

int DeviceNode::CloseDisk(uint64_t handle) {
  LockGuard lock(mutex_);
  const int unused = doors_.Close(handle);
  Save();
  EndCut();
  return unused;
}

DiskFacts DeviceNode::facts() const {
  LockGuard lock(mutex_);
  const Medium* const medium = disk_.medium();
  return {.passthrough = doors_.opens().passthrough() > 0,
          .backing_id = doors_.backing_id(),
          .retired_backing_id = doors_.retired_backing_id(),
          .size_bytes = SizeOf(disk_),
          .stored_bytes = medium == nullptr ? 0 : medium->stored_pages() * PageStore::kPageSize};
}

// --- Owners and times --------------------------------------------------------------------------

Ownership DeviceNode::OwnershipOf(Place place, mode_t default_mode) const {
  LockGuard lock(mutex_);
  if (place == kDiskSlot) owners_.NoteDiskWrites(doors_.kernel_wrote());
  return owners_.Of(place, default_mode);
}

void DeviceNode::ChangeOwnership(Place place, mode_t default_mode, const OwnershipChange& change) {
  LockGuard lock(mutex_);
  if (place == kDiskSlot) {  // what was written before is over
    owners_.NoteDiskWrites(doors_.kernel_wrote());
    owners_.SeeDisk();
  }
  owners_.Change(place, default_mode, change);
  Save();
}

}  // namespace rnullfs
