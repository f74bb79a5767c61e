#include "past/retention.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/cleanup/cleanup.h"

namespace rnullfs {

bool Retention::Add(Version version, uint64_t since) {
  const LockGuard lock(mutex_);
  if (KeepLocked(version, since)) return true;
  if (!history()) return false;
  history_.PushBack(file_, version);
  history_bytes_ += BytesOf(version);
  return true;
}

bool Retention::Keep(Version version, uint64_t since) {
  const LockGuard lock(mutex_);
  return KeepLocked(version, since);
}

bool Retention::KeepLocked(Version version, uint64_t since) {
  const auto after = moments_.lower_bound(file_.UntilOf(version));
  if (after == moments_.begin()) return false;
  auto& [moment, keeper] = *std::prev(after);
  if (since > moment) return false;
  keeper.kept.PushBack(file_, version);
  return true;
}

void Retention::AddHistory(VersionList more) {
  const LockGuard lock(mutex_);
  more.ForEach(file_, [this](Version version)
                          ABSL_NO_THREAD_SAFETY_ANALYSIS { history_bytes_ += BytesOf(version); });
  VersionList merged;
  while (!history_.empty() || !more.empty()) {
    const bool next = history_.empty() || (!more.empty() && file_.UntilOf(more.front()) <
                                                                file_.UntilOf(history_.front()));
    merged.PushBack(file_, (next ? more : history_).PopFront(file_));
  }
  history_ = merged;
}

// What has a later number than is read here finds that everything is wanted.
uint64_t Retention::Hold() {
  const LockGuard lock(mutex_);
  const absl::Cleanup publish = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { Publish(); };
  held_since_ = INT64_MAX;
  wanted_since_ = INT64_MAX;
  const uint64_t moment = file_.header().sequence;
  ++moments_[moment].holders;
  return moment;
}

void Retention::HoldAgain(uint64_t moment) {
  const LockGuard lock(mutex_);
  ++moments_[moment].holders;
  Publish();
}

bool Retention::Holds(uint64_t moment) const {
  const LockGuard lock(mutex_);
  return moments_.contains(moment);
}

VersionList Retention::Release(uint64_t moment) {
  const LockGuard lock(mutex_);
  const auto found = moments_.find(moment);
  if (--found->second.holders > 0) return {};
  const VersionList kept = found->second.kept;
  moments_.erase(found);
  Publish();
  return kept;
}

VersionList Retention::TakeRestored(uint64_t moment) {
  const LockGuard lock(mutex_);
  if (history() || moments_.empty() || moments_.rbegin()->first != moment) return {};
  return std::exchange(moments_.rbegin()->second.kept, {});
}

std::optional<Retention::Kept> Retention::KeptAlone(uint64_t moment) const {
  const LockGuard lock(mutex_);
  const auto found = moments_.find(moment);
  if (found == moments_.end() || found->second.holders != 1) return std::nullopt;
  Kept kept = {.versions = {},
               .before = found == moments_.begin() ? UINT64_MAX : std::prev(found)->first};
  found->second.kept.ForEach(file_, [&](Version version) { kept.versions.push_back(version); });
  return kept;
}

void Retention::SetHistory(uint64_t bytes) {
  const LockGuard lock(mutex_);
  if (bytes > 0 && !history()) {
    // What changed before may have done so without being kept.
    wanted_since_ = INT64_MAX;
    file_.header().oldest = file_.header().sequence.load();
  }
  // What changes from here on is not kept: it ends also for who takes over and has not heard of it.
  if (bytes == 0) file_.header().oldest = UINT64_MAX;
  history_max_ = bytes;
  Publish();
}

std::optional<Version> Retention::TakeOldest() {
  if (!over()) return std::nullopt;
  const LockGuard lock(mutex_);
  if (!over() || history_.empty()) return std::nullopt;
  return PopOldest();
}

std::optional<Version> Retention::TakeOlderThan(uint64_t number) {
  const LockGuard lock(mutex_);
  if (history_.empty() || file_.UntilOf(history_.front()) >= number) return std::nullopt;
  return PopOldest();
}

// Before it is freed, so that who does not find it sees why.
Version Retention::PopOldest() {
  const Version oldest = history_.PopFront(file_);
  history_bytes_ -= BytesOf(oldest);
  std::atomic<uint64_t>& whole_since = file_.header().oldest;
  whole_since = std::max<uint64_t>(whole_since, file_.UntilOf(oldest));
  return oldest;
}

void Retention::CutHistory(uint64_t number) {
  const LockGuard lock(mutex_);
  std::atomic<uint64_t>& whole_since = file_.header().oldest;
  whole_since = std::max<uint64_t>(whole_since, number);
}

void Retention::Publish() {
  const int64_t held = moments_.empty() ? -1 : static_cast<int64_t>(moments_.rbegin()->first);
  held_since_ = held;
  wanted_since_ = history() ? INT64_MAX : held;
}

}  // namespace rnullfs
