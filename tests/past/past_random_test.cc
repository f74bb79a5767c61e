// A store with a past against a model that is plainly right: what all bytes were after each change.
//
// Memory runs out now and then: what a failed change has done is found out page by page.
//
// The seed is printed; RNULLFS_TEST_SEED runs one again, RNULLFS_TEST_STEPS says how long.

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "from_environment.h"
#include "past/past.h"
#include "past_util.h"

namespace rnullfs {
namespace {

constexpr uint64_t kSize = 24 * kPage;
constexpr uint64_t kLimit = 90 * kPage;  // of memory, when there is one

class PastRandom : public testing::TestWithParam<bool> {
 protected:
  PastRandom()
      : seed_(FromEnvironment("RNULLFS_TEST_SEED", std::random_device()())), random_(seed_) {
    std::printf("RNULLFS_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    moments_[0] = bytes_;
  }

  uint64_t Below(uint64_t bound) { return bound == 0 ? 0 : random_() % bound; }

  uint64_t AnyPlace(uint64_t end) {
    constexpr uint64_t kAlignments[] = {1, 512, kPage};
    const uint64_t alignment = kAlignments[Below(std::size(kAlignments))];
    return Below(end / alignment + 1) * alignment;
  }

  void Change() {
    const uint64_t offset = AnyPlace(kSize);
    const uint64_t length = std::min(kSize - offset, AnyPlace(Below(8) == 0 ? kSize : 3 * kPage));
    std::string after = bytes_;
    int error = 0;
    const int kind = static_cast<int>(Below(7));
    if (kind < 4) {
      const std::string data(length, static_cast<char>(Below(4) == 0 ? 0 : random_()));
      error = past_->Write(offset, length, data.data());
      after.replace(offset, length, data);
    } else if (kind < 6) {
      error = kind == 4 ? past_->Discard(offset, length) : past_->WriteZeroes(offset, length);
      std::fill_n(after.begin() + static_cast<int64_t>(offset), length, '\0');
    } else {
      error = past_->Allocate(offset, length);
    }
    Conclude(error, after);
  }

  // What has been done of a change that would have made `after` of the disk.
  void Conclude(int error, const std::string& after) {
    ASSERT_TRUE(error == 0 || (limited_ && error == ENOSPC)) << error;
    failed_ += error != 0 ? 1 : 0;
    const std::string now = error == 0 ? after : Read(*past_, 0, kSize);
    for (uint64_t page = 0; page < kSize; page += kPage) {
      const std::string is = now.substr(page, kPage);
      ASSERT_TRUE(is == bytes_.substr(page, kPage) || is == after.substr(page, kPage));
    }
    bytes_ = now;
    // What lies between may be any part of it: a change that waited for room counts again.
    if (past_->sequence() - moments_.rbegin()->first > 1) known_since_ = past_->sequence();
    moments_[past_->sequence()] = bytes_;
    // What nobody can ask for any more.
    const uint64_t needed =
        held_.empty() ? past_->oldest() : std::min(past_->oldest(), OldestHeld());
    moments_.erase(moments_.begin(), std::prev(moments_.upper_bound(needed)));
  }

  uint64_t OldestHeld() const {
    uint64_t oldest = UINT64_MAX;
    for (const auto& [number, moment] : held_) oldest = std::min(oldest, moment);
    return oldest;
  }

  auto AnyHeld() { return std::next(held_.begin(), static_cast<int64_t>(Below(held_.size()))); }

  void TakeSnapshot() {
    if (held_.size() == 40) return RemoveSnapshot();
    const uint32_t number = static_cast<uint32_t>(Below(VersionFile::kSnapshotsMax));
    if (held_.contains(number)) return;
    const uint64_t moment = past_->Hold();
    ASSERT_EQ(moment, past_->sequence());
    held_[number] = moment;
    // As whoever gives them names does: a process that takes over finds them there.
    VersionFile::SnapshotEntry* const entry = past_->file().MakeSnapshot(number);
    if (entry == nullptr && limited_) {
      past_->Release(moment);
      held_.erase(number);
      return;
    }
    ASSERT_NE(entry, nullptr);
    entry->moment = moment;
    entry->serial = ++serial_;
  }

  void RemoveSnapshot() {
    if (held_.empty()) return;
    const auto it = AnyHeld();
    past_->file().MakeSnapshot(it->first)->serial = 0;
    past_->Release(it->second);
    held_.erase(it);
  }

  void RollBack() {
    if (held_.empty()) return;
    const auto it = AnyHeld();
    const int error = past_->RollBack(it->second);
    Conclude(error, error == 0 ? Was(it->second) : bytes_);  // wholly or not at all
  }

  void ChangeHistory() {
    history_ = Below(3) == 0 ? 0 : Below(40) * kPage;
    past_->SetHistory(history_);
  }

  void Adopt() {
    UniqueFd memfd(dup(past_->file().fd()));
    past_.reset();
    past_ = *Past::Adopt(memory_, MemfdKeeper::None(), std::move(memfd), history_, *store_);
  }

  // What was at the moment, by the model: of the last change up to it.
  const std::string& Was(uint64_t moment) const {
    return std::prev(moments_.upper_bound(moment))->second;
  }

  void Compare(View& view, const std::string& bytes) {
    const uint64_t offset = AnyPlace(kSize);
    const uint64_t length = std::min(kSize - offset, AnyPlace(kSize));
    ASSERT_TRUE(Read(view, offset, length) == bytes.substr(offset, length));
    // What is no data reads as zeros, and data and holes end where the other begins.
    for (uint64_t at = 0; at < kSize;) {
      const uint64_t data = view.NextData(at);
      ASSERT_EQ(bytes.compare(at, data - at, zeros_, 0, data - at), 0);
      if (data == kSize) break;
      at = view.NextHole(data);
      ASSERT_GT(at, data);
    }
  }

  void Check() {
    Compare(*past_, bytes_);
    for (uint64_t i = 0; i < std::min<uint64_t>(held_.size(), 4); ++i) {
      const uint64_t moment = AnyHeld()->second;
      Compare(*past_->ViewAt(moment, kSize, true), Was(moment));
    }
    ASSERT_LE(past_->oldest(), past_->sequence());
    const uint64_t oldest = std::max(past_->oldest(), known_since_);
    const uint64_t moment = oldest + Below(past_->sequence() - oldest + 1);
    Compare(*past_->ViewAt(moment, kSize, false), Was(moment));
    if (oldest > 0 && oldest == past_->oldest()) {
      const auto gone = past_->ViewAt(oldest - 1, kSize, false);
      EXPECT_EQ(gone->Read(0, kPage, [](absl::Span<const iovec>) {}), ESTALE);
    }
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  const bool limited_ = GetParam();
  MemoryLimit memory_{limited_ ? kLimit : MemoryLimit::kNone};
  std::unique_ptr<PageStore> store_ = NewStore(kSize, memory_);
  std::unique_ptr<Past> past_ = *Past::Create("past", memory_, MemfdKeeper::None(), *store_);
  const std::string zeros_ = std::string(kSize, '\0');
  std::string bytes_ = zeros_;
  std::map<uint64_t, std::string> moments_;
  std::map<uint32_t, uint64_t> held_;
  uint64_t known_since_ = 0;  // moments before it that are no snapshots may be parts of changes
  uint64_t failed_ = 0;
  uint64_t serial_ = 0;
  uint64_t history_ = 0;
};

TEST_P(PastRandom, IsWhatItWas) {
  const uint64_t steps = FromEnvironment("RNULLFS_TEST_STEPS", Repetitions(3000));
  for (uint64_t step = 0; step < steps && !HasFatalFailure(); ++step) {
    SCOPED_TRACE(testing::Message() << "step " << step);
    const uint64_t what = Below(100);
    if (what < 70) {
      Change();
    } else if (what < 80) {
      TakeSnapshot();
    } else if (what < 90) {
      RemoveSnapshot();
    } else if (what < 93) {
      RollBack();
    } else if (what < 97) {
      ChangeHistory();
    } else if (what < 99) {
      Adopt();
    }
    if (Below(4) == 0) Check();
  }
  std::printf("%llu steps, %llu changes found no memory\n", static_cast<unsigned long long>(steps),
              static_cast<unsigned long long>(failed_));
  while (!held_.empty()) RemoveSnapshot();
  past_->SetHistory(0);
  past_->file().ForEach([](Version version) { ADD_FAILURE() << version << " is left"; });
}

INSTANTIATE_TEST_SUITE_P(Memory, PastRandom, testing::Bool(),
                         [](const auto& limited) { return limited.param ? "Limited" : "Enough"; });

}  // namespace
}  // namespace rnullfs
