#include "crash/states.h"

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "base/visible.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

absl::Status NoSuchState() { return Error(ENOENT, "there is no such state any more"); }
absl::Status Exists(std::string_view name) {
  return Error(EEXIST, absl::StrCat(Visible(name), " is a state already; take another name"));
}

}  // namespace

// Numbers of another process, which had begun earlier, are others.
CrashStates::CrashStates(Past& past, MemoryLimit& memory, const Clock& clock)
    : past_(past),
      memory_(memory),
      clock_(clock),
      cuts_(past, memory),
      next_id_(static_cast<uint32_t>(clock.NowNsec() >> 16) | 1) {}

void CrashStates::End() {
  cuts_.End();
  const LockGuard lock(mutex_);
  ended_ = true;
  ids_.clear();
  made_.clear();
  entries_.clear();
}

// --- By name -----------------------------------------------------------------------------------

std::optional<CrashStates::Known> CrashStates::Called(const Key& key, uint32_t unit_bytes) {
  const auto id = ids_.find(key);
  if (id == ids_.end()) return std::nullopt;
  Entry& entry = entries_.at(id->second);
  entry.used_nsec = clock_.NowNsec();
  if (entry.known.made || entry.known.unit_bytes == unit_bytes) return entry.known;
  // What a name describes is another state when units are others; who has the one that was keeps
  // it.
  ids_.erase(id);
  return std::nullopt;
}

absl::StatusOr<CrashStates::Known> CrashStates::Find(uint64_t cut, uint32_t unit_bytes,
                                                     std::string_view name) {
  const Key key(cut, name);
  {
    const LockGuard lock(mutex_);
    if (const std::optional<Known> known = Called(key, unit_bytes)) return *known;
  }
  const std::optional<CrashChoice> choice = CrashChoice::Parse(name);
  if (!choice) return NoSuchState();
  if (choice->names_request()) {
    const absl::StatusOr<std::shared_ptr<const CrashCut>> found = CutAt(cut, unit_bytes);
    if (!found.ok()) return found.status();
    if (!choice->Fits(**found)) return NoSuchState();
  }
  const LockGuard lock(mutex_);
  if (const std::optional<Known> known = Called(key, unit_bytes)) return *known;
  return Add({.cut = cut,
              .unit_bytes = unit_bytes,
              .name = key.second,
              .choice = std::make_shared<const CrashChoice>(*choice)});
}

absl::StatusOr<CrashStates::Known> CrashStates::Make(uint64_t cut, uint32_t unit_bytes,
                                                     std::string_view name) {
  if (CrashChoice::Parse(name)) return Exists(name);
  const absl::StatusOr<std::shared_ptr<const CrashCut>> found = CutAt(cut, unit_bytes);
  if (!found.ok()) return found.status();
  const LockGuard lock(mutex_);
  Known known = {.cut = cut,
                 .unit_bytes = unit_bytes,
                 .name = std::string(name),
                 .choice = std::make_shared<const CrashChoice>(),
                 .made = true};
  if (ids_.contains({cut, known.name})) return Exists(name);
  return Add(std::move(known));
}

absl::StatusOr<CrashStates::Known> CrashStates::Add(Known known) {
  if (ended_) return Error(ESTALE, "crash: the disk has no history any more");
  ForgetIdle();
  if (entries_.size() == kStatesMax) {
    return Error(ENOSPC, absl::StrCat("crash: a disk has at most ", kStatesMax,
                                      " states at once; rmdir some, or close them and wait"));
  }
  known.id = next_id_++;
  const Known& added =
      entries_.emplace(known.id, Entry{.known = known, .used_nsec = clock_.NowNsec()})
          .first->second.known;
  ids_.emplace(Key{added.cut, added.name}, added.id);
  if (added.made) ++made_[added.cut];
  return added;
}

// Now and then: each new one would go through all others.
void CrashStates::ForgetIdle() {
  const int64_t now = clock_.NowNsec();
  if (now - swept_nsec_ < kSweepNsec && entries_.size() < kStatesMax) return;
  swept_nsec_ = now;
  const int64_t before = now - kIdleNsec;
  for (auto each = entries_.begin(); each != entries_.end();) {
    const Entry& entry = each->second;
    const bool forget = IsForgettable(entry, before);
    if (forget) ForgetName(entry.known);
    each = forget ? entries_.erase(each) : std::next(each);
  }
}

// Of a cut that the history does not have any more nobody can remove one.
bool CrashStates::IsForgettable(const Entry& entry, int64_t before_nsec) const {
  if (entry.opens > 0) return false;
  return entry.known.made ? entry.known.cut <= past_.oldest() : entry.used_nsec < before_nsec;
}

void CrashStates::ForgetName(const Known& known) {
  const auto id = ids_.find({known.cut, known.name});
  if (id == ids_.end() || id->second != known.id) return;
  ids_.erase(id);
  if (known.made && --made_[known.cut] == 0) made_.erase(known.cut);
}

absl::Status CrashStates::Remove(uint64_t cut, std::string_view name) {
  const LockGuard lock(mutex_);
  const auto id = ids_.find({cut, std::string(name)});
  if (id == ids_.end()) return NoSuchState();
  if (entries_.at(id->second).opens > 0) {
    return Error(EBUSY, absl::StrCat("crash: the disk of ", Visible(name), " is open"));
  }
  const auto entry = entries_.find(id->second);
  ForgetName(entry->second.known);
  entries_.erase(entry);
  return absl::OkStatus();
}

std::vector<CrashStates::Known> CrashStates::Made(uint64_t cut) const {
  const LockGuard lock(mutex_);
  std::vector<Known> states;
  for (auto id = ids_.lower_bound({cut, ""}); id != ids_.end() && id->first.first == cut; ++id) {
    const Known& known = entries_.at(id->second).known;
    if (known.made) states.push_back(known);
  }
  return states;
}

uint64_t CrashStates::CountMade(uint64_t cut) const {
  const LockGuard lock(mutex_);
  const auto made = made_.find(cut);
  return made == made_.end() ? 0 : made->second;
}

// --- By number ---------------------------------------------------------------------------------

absl::StatusOr<CrashStates::Known> CrashStates::Get(uint32_t id) {
  const LockGuard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return NoSuchState();
  found->second.used_nsec = clock_.NowNsec();
  return found->second.known;
}

absl::Status CrashStates::Choose(uint32_t id, CrashChoice choice) {
  const absl::StatusOr<Known> known = Get(id);
  if (!known.ok()) return known.status();
  const absl::StatusOr<std::shared_ptr<const CrashCut>> cut = CutAt(known->cut, known->unit_bytes);
  if (!cut.ok()) return cut.status();
  if (!choice.Fits(**cut)) {
    return Error(EINVAL,
                 "crash: there is no such request, unit or version that may be lost at this cut; "
                 "state.json of the state all, and units.json, have what there is");
  }
  const LockGuard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return NoSuchState();
  if (found->second.opens > 0) return Error(EBUSY, "crash: the disk of this state is open");
  found->second.known.choice = std::make_shared<const CrashChoice>(std::move(choice));
  Replace(found->second, nullptr);
  return absl::OkStatus();
}

void CrashStates::Replace(Entry& entry, std::shared_ptr<CrashState> state) {
  if (entry.state != nullptr && entry.state->was_open()) entry.was_another = true;
  entry.state = std::move(state);
}

// Of what was not at its end when it was made, when nobody has begun to use it.
bool CrashStates::IsOutdated(const Entry& entry) const {
  return !entry.state->cut().settled() && entry.opens == 0 && entry.seen != past_.log().last() &&
         !entry.state->IsWritten();
}

absl::Status CrashStates::Prepare(uint32_t id) {
  Known known;
  {
    const LockGuard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return NoSuchState();
    found->second.used_nsec = clock_.NowNsec();
    if (found->second.state != nullptr && !IsOutdated(found->second)) return absl::OkStatus();
    known = found->second.known;
  }
  const absl::StatusOr<std::shared_ptr<const CrashCut>> cut = CutAt(known.cut, known.unit_bytes);
  if (!cut.ok()) return cut.status();
  const LockGuard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return NoSuchState();
  Entry& entry = found->second;
  if (entry.state != nullptr && !IsOutdated(entry)) return absl::OkStatus();
  if (!entry.known.choice->Fits(**cut)) return NoSuchState();
  const bool was_another = entry.was_another || (entry.state != nullptr && entry.state->was_open());
  const auto state =
      std::make_shared<CrashState>(past_, *cut, *entry.known.choice, memory_, !was_another);
  if (state->Reserve() != 0) {
    return Error(ENOSPC, "crash: there is no memory for one more state; see memory_limit");
  }
  Replace(entry, state);
  entry.seen = past_.log().last();
  return absl::OkStatus();
}

absl::StatusOr<CrashStates::Entry*> CrashStates::Ready(uint32_t id) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.state == nullptr) return NoSuchState();
  return &found->second;
}

absl::StatusOr<std::shared_ptr<const CrashState>> CrashStates::Look(uint32_t id) {
  if (absl::Status prepared = Prepare(id); !prepared.ok()) return prepared;
  const LockGuard lock(mutex_);
  const absl::StatusOr<Entry*> entry = Ready(id);
  if (!entry.ok()) return entry.status();
  return (*entry)->state;
}

int CrashStates::Identify(uint32_t id, uint64_t& identity) {
  const LockGuard lock(mutex_);
  const absl::StatusOr<Entry*> entry = Ready(id);
  return entry.ok() ? (*entry)->state->Identify(identity) : ESTALE;
}

absl::StatusOr<std::shared_ptr<CrashState>> CrashStates::Open(uint32_t id) {
  if (absl::Status prepared = Prepare(id); !prepared.ok()) return prepared;
  const LockGuard lock(mutex_);
  const absl::StatusOr<Entry*> entry = Ready(id);
  if (!entry.ok()) return entry.status();
  ++(*entry)->opens;
  (*entry)->state->NoteOpen();
  const std::shared_ptr<CrashState>& state = (*entry)->state;
  return std::shared_ptr<CrashState>(state.get(),
                                     [this, id, kept = state](CrashState*) { Close(id); });
}

void CrashStates::Close(uint32_t id) {
  const LockGuard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  --found->second.opens;
  found->second.used_nsec = clock_.NowNsec();
}

}  // namespace rnullfs
