#include "past/snapshots.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/kill_point.h"
#include "base/visible.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

absl::Status NoSuchSnapshot() { return Error(ENOENT, "there is no such snapshot"); }

absl::Status Exists(std::string_view name) {
  return Error(EEXIST, absl::StrCat("the snapshot ", Visible(name), " exists"));
}

}  // namespace

// What another process left.
Snapshots::Snapshots(Past& past) : past_(past) {
  past.file().ForEachSnapshot([this](uint32_t number, const VersionFile::SnapshotEntry& entry)
                                  ABSL_NO_THREAD_SAFETY_ANALYSIS {
                                    const std::string name(entry.Name());
                                    known_[number].snapshot = {.number = number,
                                                               .name = name,
                                                               .serial = entry.serial,
                                                               .moment = entry.moment,
                                                               .size_bytes = entry.size_bytes,
                                                               .taken_nsec = entry.taken_nsec};
                                    known_[number].request = entry.request;
                                    if (!name.empty()) names_[name] = number;
                                  });
}

absl::StatusOr<Snapshot> Snapshots::Take(std::string_view name, int64_t now_nsec,
                                         uint64_t request) {
  const LockGuard lock(mutex_);
  if (const auto found = names_.find(name); found != names_.end()) {
    const Known& known = known_.at(found->second);
    if (request != 0 && known.request == request) return known.snapshot;
    return Exists(name);
  }
  absl::StatusOr<uint32_t> number = VacantNumber();
  if (!number.ok()) return number.status();
  VersionFile::SnapshotEntry* const entry = past_.file().MakeSnapshot(*number);
  if (entry == nullptr) return Error(ENOSPC, "there is no memory for a snapshot");
  std::atomic<uint64_t>& last_serial = past_.file().header().serial;
  Snapshot taken = {.number = *number,
                    .name = std::string(name),
                    .serial = last_serial + 1,
                    .moment = 0,  // yet
                    .size_bytes = past_.size_bytes(),
                    .taken_nsec = now_nsec};
  // What takes memory comes before what cannot be undone.
  absl::Cleanup undo = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    known_.erase(*number);
    if (!name.empty()) names_.erase(taken.name);
  };
  Known& known = known_[*number];
  known = {.snapshot = taken, .request = request, .users = {}};
  if (!name.empty()) names_[taken.name] = *number;
  taken.moment = past_.Hold();
  std::move(undo).Cancel();
  known.snapshot.moment = taken.moment;
  last_serial = taken.serial;
  entry->moment = taken.moment;
  entry->size_bytes = taken.size_bytes;
  entry->taken_nsec = now_nsec;
  entry->request = request;
  entry->SetName(name);
  KillPoint("snapshot-begun");
  entry->serial.store(taken.serial, std::memory_order_release);
  KillPoint("snapshot-taken");
  return taken;
}

// The lowest.  Where none has been removed, it is not looked for.
absl::StatusOr<uint32_t> Snapshots::VacantNumber() const {
  uint32_t number = 0;
  if (!known_.empty() && known_.rbegin()->first + 1 == known_.size()) {
    number = static_cast<uint32_t>(known_.size());
  } else {
    for (auto it = known_.begin(); it != known_.end() && it->first == number; ++it) ++number;
  }
  if (number < VersionFile::kSnapshotsMax) return number;
  return Error(ENOSPC, absl::StrCat("a disk has at most ", VersionFile::kSnapshotsMax,
                                    " snapshots; remove some with rmdir"));
}

absl::Status Snapshots::Remove(uint32_t number) {
  uint64_t moment = 0;
  {
    const LockGuard lock(mutex_);
    const auto found = known_.find(number);
    if (found == known_.end()) return NoSuchSnapshot();
    if (!found->second.users.empty()) {
      return Error(EBUSY, absl::StrCat("the snapshot ", Visible(found->second.snapshot.name),
                                       " is in use by ", absl::StrJoin(found->second.users, ", ")));
    }
    moment = found->second.snapshot.moment;
    past_.file().MakeSnapshot(number)->serial.store(0, std::memory_order_release);
    names_.erase(found->second.snapshot.name);
    known_.erase(found);
  }
  KillPoint("snapshot-removed");
  past_.Release(moment);
  return absl::OkStatus();
}

void Snapshots::RemoveHidden(uint64_t serial) {
  uint64_t moment = 0;
  {
    const LockGuard lock(mutex_);
    const auto found = std::find_if(known_.begin(), known_.end(), [&](const auto& each) {
      return each.second.snapshot.serial == serial;
    });
    if (found == known_.end() || !found->second.snapshot.name.empty()) return;
    if (!found->second.users.empty()) return;
    moment = found->second.snapshot.moment;
    past_.file().MakeSnapshot(found->first)->serial.store(0, std::memory_order_release);
    known_.erase(found);
  }
  KillPoint("snapshot-removed");
  past_.Release(moment);
}

absl::Status Snapshots::Rename(uint32_t number, std::string_view name) {
  const LockGuard lock(mutex_);
  const auto found = known_.find(number);
  if (found == known_.end()) return NoSuchSnapshot();
  if (names_.contains(name)) return Exists(name);
  std::string kept(name);
  names_[kept] = number;
  std::string& known = found->second.snapshot.name;
  if (!known.empty()) names_.erase(known);
  known = std::move(kept);
  past_.file().MakeSnapshot(number)->SetName(name);
  KillPoint("snapshot-renamed");
  return absl::OkStatus();
}

std::optional<Snapshot> Snapshots::Find(std::string_view name) const {
  const LockGuard lock(mutex_);
  const auto found = names_.find(name);
  if (found == names_.end()) return std::nullopt;
  return known_.at(found->second).snapshot;
}

std::optional<Snapshot> Snapshots::Get(uint32_t number) const {
  const LockGuard lock(mutex_);
  const auto found = known_.find(number);
  if (found == known_.end()) return std::nullopt;
  return found->second.snapshot;
}

std::optional<Snapshot> Snapshots::WithSerial(uint64_t serial) const {
  const LockGuard lock(mutex_);
  for (const auto& [number, known] : known_) {
    if (known.snapshot.serial == serial) return known.snapshot;
  }
  return std::nullopt;
}

std::vector<uint32_t> Snapshots::Hidden() const {
  const LockGuard lock(mutex_);
  std::vector<uint32_t> hidden;
  for (const auto& [number, known] : known_) {
    if (known.snapshot.name.empty()) hidden.push_back(number);
  }
  return hidden;
}

std::optional<Snapshot> Snapshots::Next(uint32_t number) const {
  const LockGuard lock(mutex_);
  for (auto it = known_.lower_bound(number); it != known_.end(); ++it) {
    if (!it->second.snapshot.name.empty()) return it->second.snapshot;
  }
  return std::nullopt;
}

size_t Snapshots::count() const {
  const LockGuard lock(mutex_);
  return known_.size();
}

absl::Status Snapshots::Use(uint32_t number, const std::string& who) {
  const LockGuard lock(mutex_);
  const auto found = known_.find(number);
  if (found == known_.end()) return NoSuchSnapshot();
  found->second.users.push_back(who);
  return absl::OkStatus();
}

std::string Snapshots::Users() const {
  const LockGuard lock(mutex_);
  std::vector<std::string> all = watchers_;
  for (const auto& [number, known] : known_) {
    all.insert(all.end(), known.users.begin(), known.users.end());
  }
  return absl::StrJoin(all, ", ");
}

bool Snapshots::in_use() const {
  const LockGuard lock(mutex_);
  return !watchers_.empty() || std::any_of(known_.begin(), known_.end(), [](const auto& each) {
    return !each.second.users.empty();
  });
}

void Snapshots::Watch(const std::string& who) {
  const LockGuard lock(mutex_);
  watchers_.push_back(who);
}

void Snapshots::EndWatch(const std::string& who) {
  const LockGuard lock(mutex_);
  watchers_.erase(std::find(watchers_.begin(), watchers_.end(), who));
}

void Snapshots::EndUse(uint32_t number, const std::string& who) {
  const LockGuard lock(mutex_);
  std::vector<std::string>& users = known_.at(number).users;
  users.erase(std::find(users.begin(), users.end(), who));
}

}  // namespace rnullfs
