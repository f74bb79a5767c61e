#include "rnullfs/disk_past.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/parse.h"
#include "base/visible.h"
#include "crash/states.h"
#include "damage/damage.h"
#include "disk/wall_time.h"
#include "past/past.h"
#include "past/snapshots.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

absl::Status NoSuchSnapshot(std::string_view name) {
  return Error(ENOENT, absl::StrCat("there is no snapshot ", Visible(name)));
}

// A view that somebody has.  Its user is known from when all of it is made.
struct OpenView {
  std::unique_ptr<View> view;
  std::function<void()> end;
  bool in_use = false;
  ~OpenView() {
    view.reset();
    if (in_use) end();
  }
};

// In a past's units; what is too large for them is without end.
uint64_t BytesOf(uint64_t mib) { return std::min(mib, UINT64_MAX >> 20) << 20; }

}  // namespace

DiskPast::DiskPast(Medium& medium, const Clock& clock) : medium_(&medium), clock_(clock) {}
DiskPast::~DiskPast() = default;

// Who has them, and no disk of theirs open, may be about to ask them.
void DiskPast::EndViews() {
  if (states_ != nullptr) states_->End();
  states_.reset();
  logs_ = {};
}

void DiskPast::Remove() {
  EndViews();
  snapshots_.reset();
  medium_ = nullptr;
}

absl::Status DiskPast::Prepare(uint64_t mib) {
  if (mib == 0 || medium_ == nullptr || medium_->store() == nullptr) return absl::OkStatus();
  absl::Status begun = Begin();
  prepared_ = begun.ok();
  return begun;
}

void DiskPast::SetHistory(uint64_t mib) {
  history_mib_ = mib;
  prepared_ = false;
  if (snapshots_ != nullptr) medium_->past()->SetHistory(BytesOf(mib));
  EndIfUnwanted();
}

void DiskPast::DropStore() {
  prepared_ = false;
  EndViews();
  snapshots_.reset();
  medium_->Forget();
}

absl::Status DiskPast::Restore(uint64_t history_mib, UniqueFd memfd) {
  history_mib_ = history_mib;
  if (!memfd.valid()) {
    absl::Status prepared = Prepare(history_mib);
    prepared_ = false;
    return prepared;
  }
  if (absl::Status adopted = medium_->AdoptPast(BytesOf(history_mib), std::move(memfd));
      !adopted.ok()) {
    return adopted;
  }
  if (medium_->past() == nullptr) return absl::OkStatus();
  snapshots_ = std::make_shared<Snapshots>(*medium_->past());
  EndIfUnwanted();  // as it would have done
  return absl::OkStatus();
}

absl::Status DiskPast::Begin() {
  if (snapshots_ != nullptr) return absl::OkStatus();
  if (absl::Status begun = medium_->Remember(); !begun.ok()) return begun;
  try {
    snapshots_ = std::make_shared<Snapshots>(*medium_->past());
  } catch (const std::bad_alloc&) {
    medium_->Forget();
    throw;
  }
  medium_->past()->SetHistory(BytesOf(history_mib_));
  return absl::OkStatus();
}

// Views that are open read from the past.
void DiskPast::EndIfUnwanted() {
  if (snapshots_ == nullptr || snapshots_->in_use()) return;
  if (prepared_ || history_mib_ > 0 || snapshots_->count() > 0) return;
  EndViews();
  snapshots_.reset();
  medium_->Forget();
}

absl::StatusOr<Snapshot> DiskPast::Take(std::string_view name, uint64_t request) {
  if (medium_ == nullptr) return Error(ENOENT, "the device has been removed");
  if (medium_->store() == nullptr) {
    return Error(EINVAL,
                 "a disk that has stored nothing yet has no snapshots; set memory_backed to "
                 "1, and write 1 to power, first");
  }
  if (absl::Status begun = Begin(); !begun.ok()) return begun;
  try {
    absl::StatusOr<Snapshot> taken = snapshots_->Take(name, WallNsec(clock_), request);
    EndIfUnwanted();
    return taken;
  } catch (const std::bad_alloc&) {
    EndIfUnwanted();
    throw;
  }
}

absl::Status DiskPast::Remove(uint32_t number) {
  if (snapshots_ == nullptr) return NoSuchSnapshot("");
  absl::Status removed = snapshots_->Remove(number);
  EndIfUnwanted();
  return removed;
}

void DiskPast::RemoveHidden(uint64_t serial) {
  if (snapshots_ == nullptr) return;
  snapshots_->RemoveHidden(serial);
  EndIfUnwanted();
}

void DiskPast::RemoveUnusedHidden() {
  if (snapshots_ == nullptr) return;
  for (const uint32_t number : snapshots_->Hidden()) static_cast<void>(snapshots_->Remove(number));
  EndIfUnwanted();
}

absl::Status DiskPast::Rename(uint32_t number, std::string_view name) {
  return snapshots_ == nullptr ? NoSuchSnapshot("") : snapshots_->Rename(number, name);
}

absl::Status DiskPast::RollBack(std::string_view name, uint64_t request) {
  const absl::StatusOr<uint64_t> moment = MomentNamed(name);
  if (!moment.ok()) return moment.status();
  const int error = medium_->past()->RollBack(*moment, request);
  if (error == 0) {
    KillPoint("rolled-back-damaged");
    medium_->damage().HealForGood();
    return absl::OkStatus();
  }
  medium_->damage().Settle(Damage::After::kChange);  // a part of the disk may be what it was
  if (error == ENOSPC) {
    return Error(error,
                 "rollback: there is no memory to keep what the disk is now, or to store what has "
                 "been discarded since; raise memory_limit, or write less to history");
  }
  if (error == EREMOTEIO) {
    return Error(EIO,
                 "rollback: what the disk shares with its origin cannot be read; it is as it was");
  }
  return Error(
      error,
      "rollback: there was no memory halfway: the disk is in part what it was, in part what "
      "it is now; write the name again");
}

bool DiskPast::RolledBackBy(uint64_t request) const {
  return snapshots_ != nullptr && medium_->past()->RolledBackBy(request);
}

// A snapshot's name, or else a mark's, or a number.
absl::StatusOr<uint64_t> DiskPast::MomentNamed(std::string_view name) const {
  if (const std::optional<Snapshot> snapshot = Find(name)) {
    if (snapshot->size_bytes == medium_->store()->size_bytes()) return snapshot->moment;
    return Error(EINVAL, absl::StrCat("rollback: the disk had ", snapshot->size_bytes >> 20,
                                      " MiB then; write that to size, and switch it on, first"));
  }
  const std::optional<uint64_t> mark = FindMark(name);
  const std::optional<uint64_t> number = mark ? mark : ParseNumber(name);
  if (!number) {
    return Error(ENOENT, absl::StrCat("rollback: there is no snapshot or mark ", Visible(name)));
  }
  const std::optional<Moments> there = moments();
  if (!there) {
    return Error(ESTALE, absl::StrCat("rollback: there is no snapshot ", *number,
                                      ", and the disk has no history"));
  }
  if (*number >= there->first && *number <= there->last) return *number;
  return Error(*number < there->first ? ESTALE : EINVAL,
               absl::StrCat("rollback: the history has the moments ", there->first, " to ",
                            there->last, ", and not ", *number));
}

std::optional<Snapshot> DiskPast::Find(std::string_view name) const {
  return snapshots_ == nullptr ? std::nullopt : snapshots_->Find(name);
}

std::optional<Snapshot> DiskPast::Get(uint32_t number) const {
  return snapshots_ == nullptr ? std::nullopt : snapshots_->Get(number);
}

std::optional<Snapshot> DiskPast::Next(uint32_t number) const {
  return snapshots_ == nullptr ? std::nullopt : snapshots_->Next(number);
}

std::optional<Snapshot> DiskPast::WithSerial(uint64_t serial) const {
  return snapshots_ == nullptr ? std::nullopt : snapshots_->WithSerial(serial);
}

std::function<std::string()> DiskPast::OriginText(const std::string& device,
                                                  uint32_t number) const {
  return [snapshots = snapshots_, device, number] {
    const std::optional<Snapshot> snapshot = snapshots->Get(number);
    const bool named = snapshot && !snapshot->name.empty();
    return named ? absl::StrCat(device, "@", snapshot->name) : device;
  };
}

absl::StatusOr<std::shared_ptr<View>> DiskPast::Open(uint32_t snapshot, const std::string& who) {
  const std::optional<Snapshot> opened = Get(snapshot);
  if (!opened) return NoSuchSnapshot("");
  const auto open = std::make_shared<OpenView>();
  open->view = medium_->past()->ViewAt(opened->moment, opened->size_bytes, /*held=*/true);
  open->end = [snapshots = snapshots_, snapshot, who] { snapshots->EndUse(snapshot, who); };
  if (absl::Status used = snapshots_->Use(snapshot, who); !used.ok()) return used;
  open->in_use = true;
  return std::shared_ptr<View>(open, open->view.get());
}

absl::StatusOr<std::shared_ptr<View>> DiskPast::OpenAt(uint64_t moment, const std::string& who) {
  const std::optional<Moments> there = moments();
  if (!there || moment < there->first || moment > there->last) {
    return Error(ESTALE, absl::StrCat("the history does not have the moment ", moment));
  }
  return Watched(medium_->past()->ViewAt(moment, there->size_bytes, /*held=*/false), who);
}

// Of a past that stays as long.
std::shared_ptr<View> DiskPast::Watched(std::unique_ptr<View> view, const std::string& who) {
  const auto open = std::make_shared<OpenView>();
  open->view = std::move(view);
  open->end = [snapshots = snapshots_, who] { snapshots->EndWatch(who); };
  snapshots_->Watch(who);
  open->in_use = true;
  return std::shared_ptr<View>(open, open->view.get());
}

std::string DiskPast::Users() const { return snapshots_ == nullptr ? "" : snapshots_->Users(); }

uint64_t DiskPast::AloneBytes(uint32_t number) const {
  const std::optional<Snapshot> snapshot = Get(number);
  return snapshot ? medium_->past()->AloneBytes(snapshot->moment) : 0;
}

std::optional<Moments> DiskPast::moments() const {
  if (snapshots_ == nullptr || history_mib_ == 0) return std::nullopt;
  const Past& past = *medium_->past();
  // In this order: what comes meanwhile makes it fewer, and not one before the first.
  const uint64_t first = past.oldest();
  return Moments{
      .first = first, .last = past.sequence(), .size_bytes = medium_->store()->size_bytes()};
}

PastFigures DiskPast::figures() const {
  if (snapshots_ == nullptr) return {};
  Past& past = *medium_->past();
  return {.sequence = past.sequence(),
          .sequence_oldest = past.oldest(),
          .snapshots = snapshots_->count(),
          .history_bytes = past.history_bytes(),
          .stored_bytes = past.file().AllocatedBytes()};
}

}  // namespace rnullfs
