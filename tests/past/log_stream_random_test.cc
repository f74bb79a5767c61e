// The log of a disk in dm-log-writes' format against a model that is plainly right: what has been
// asked for, when it was answered, and what all bytes were after each.
//
// The seed is printed; RNULLFS_TEST_SEED runs one again, RNULLFS_TEST_STEPS says how long.

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "from_environment.h"
#include "log_util.h"
#include "past/log_files.h"

namespace rnullfs {
namespace {

using Kind = LogEntry::Kind;

constexpr uint64_t kSize = 24 * kPage;

class LogStreamRandom : public testing::Test {
 protected:
  // What was asked for, and when it was answered.
  struct Asked {
    LogEntry what;
    uint64_t answered = 0;  // as of LogEntry
    std::string name = {};  // of a mark
    bool flushes() const { return what.kind == Kind::kFlush && what.flags == 0; }
    bool has_record() const {
      return what.kind == Kind::kMark || flushes() ||
             (what.changes_range() && what.kind != Kind::kRead);
    }
  };

  LogStreamRandom()
      : seed_(FromEnvironment("RNULLFS_TEST_SEED", std::random_device()())), random_(seed_) {
    std::printf("RNULLFS_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    past_->SetHistory(history_);
    moments_[0] = bytes_;
  }

  uint64_t Below(uint64_t bound) { return bound == 0 ? 0 : random_() % bound; }
  uint64_t AnyPlace(uint64_t end) {
    constexpr uint64_t kAlignments[] = {1, 512, 512, kPage};
    const uint64_t alignment = kAlignments[Below(std::size(kAlignments))];
    return Below(end / alignment + 1) * alignment;
  }

  // --- Requests ----------------------------------------------------------------------------------

  LogEntry AnyChange() {
    const uint64_t offset = AnyPlace(kSize - 1);
    const uint64_t length = 1 + AnyPlace(std::min(kSize - offset, 3 * kPage) - 1);
    constexpr Kind kKinds[] = {Kind::kWrite, Kind::kWrite, Kind::kDiscard, Kind::kWriteZeroes};
    LogEntry what = {.kind = kKinds[Below(std::size(kKinds))], .offset = offset, .length = length};
    if (Below(2) == 0) {  // of sectors
      what.offset = offset / 512 * 512;
      what.length = std::min((length + 511) / 512 * 512, kSize - what.offset);
    }
    if (what.kind == Kind::kWrite && Below(4) == 0) what.flags = LogEntry::kFua;
    return what;
  }

  int Do(const LogEntry& what, const std::string& data) {
    switch (what.kind) {
      case Kind::kWrite:
        return what.flags == 0 ? past_->Write(what.offset, what.length, data.data())
                               : past_->WriteThrough(what.offset, what.length, data.data());
      case Kind::kDiscard:
        return past_->Discard(what.offset, what.length);
      case Kind::kWriteZeroes:
        return past_->WriteZeroes(what.offset, what.length);
      default:
        return what.flags == 0 ? past_->Flush() : past_->FlushFalsely();
    }
  }

  // It is answered at once, or some time later.
  void Ask(const LogEntry& what, bool counts_alone) {
    CountedRequest request(++time_);
    const bool zeros = what.kind != Kind::kWrite || Below(4) == 0;
    const std::string data(what.length, zeros ? '\0' : static_cast<char>(random_()));
    {
      const CountedRequest::Scope scope(&request);
      if (counts_alone) {
        past_->Count(what);
      } else {
        ASSERT_EQ(Do(what, data), 0);
      }
    }
    if (!counts_alone && what.changes_range()) bytes_.replace(what.offset, what.length, data);
    Note({.what = what});
    pending_.push_back(request);
    if (Below(8) != 0) Answer(pending_.size() - 1);
  }

  void Note(Asked asked) {
    asked.what.number = past_->sequence();
    ASSERT_EQ(asked.what.number, moments_.rbegin()->first + 1) << "each counts once";
    asked_[asked.what.number] = std::move(asked);
    moments_[past_->sequence()] = bytes_;
    moments_.erase(moments_.begin(), moments_.lower_bound(past_->oldest()));
    asked_.erase(asked_.begin(), asked_.lower_bound(past_->log().first()));
  }

  void Answer(uint64_t which) {
    const CountedRequest request = pending_[which];
    pending_.erase(pending_.begin() + static_cast<int64_t>(which));
    past_->log().End(request, 0, ++time_);
    const auto found = asked_.find(request.first());
    if (found != asked_.end()) found->second.answered = past_->sequence() + 1;
  }

  void Mark() {
    const std::string name = "m" + std::to_string(Below(50));
    uint64_t number = 0;
    ASSERT_EQ(past_->SetMark(name, 0, number), 0);
    Note({.what = {.kind = Kind::kMark}, .answered = number + 1, .name = name});
  }

  // As a loop device makes it of one with FUA.
  void WriteAlone() {
    while (Below(4) != 0 && !pending_.empty()) Answer(0);
    Ask({.kind = Kind::kFlush}, /*counts_alone=*/false);
    Ask({.kind = Kind::kWrite, .offset = 512, .length = 512}, /*counts_alone=*/false);
    Ask({.kind = Kind::kFlush}, /*counts_alone=*/false);
  }

  void Jump() {
    if (Below(2) == 0) {
      const uint64_t oldest = past_->oldest();
      const uint64_t moment = oldest + Below(past_->sequence() - oldest + 1);
      bytes_ = moments_.at(moment);
      ASSERT_EQ(past_->RollBack(moment), 0);
      ASSERT_TRUE(Read(*past_, 0, kSize) == bytes_);
      Note({.what = {.kind = Kind::kRollback}, .answered = past_->sequence() + 1});
    } else {
      ASSERT_EQ(past_->LoseUnflushed({.keeps = CutKeeps::kRandom, .seed = random_()}), 0);
      bytes_ = Read(*past_, 0, kSize);
      Note({.what = {.kind = Kind::kPowerCut}, .answered = past_->sequence() + 1});
    }
  }

  void ChangeHistory() {
    if (Below(3) == 0) {
      past_->SetHistory(0);
      asked_.clear();
    }
    history_ = (20 + Below(200)) * kPage;
    past_->SetHistory(history_);
    if (past_->oldest() == past_->sequence()) moments_[past_->sequence()] = bytes_;
  }

  void Adopt() {
    followed_.reset();
    UniqueFd memfd(dup(past_->file().fd()));
    past_.reset();
    past_ = *Past::Adopt(memory_, MemfdKeeper::None(), std::move(memfd), history_, *store_);
    // What was under way is answered when as much may have come again, and been answered.  Reads
    // that are older than that hold nothing up.
    const uint64_t begin = std::max(past_->log().first(), WholeByFlush());
    const auto open = std::count_if(asked_.lower_bound(begin), asked_.end(),
                                    [](const auto& asked) { return asked.second.answered == 0; });
    for (auto& [number, asked] : asked_) {
      if (asked.answered == 0)
        asked.answered = past_->sequence() + 1 + 2 * static_cast<uint64_t>(open);
    }
    pending_.clear();
  }

  // --- What is to be read ------------------------------------------------------------------------

  uint64_t Begin() const {
    uint64_t begin = std::max(past_->log().first() - 1, past_->oldest());
    for (const auto& [number, asked] : asked_) {
      if (asked.what.jumps()) begin = std::max(begin, number);
    }
    return begin;
  }

  // The oldest but reads that had not been answered when `number` was asked for, or that.
  uint64_t FirstUnanswered(uint64_t number) const {
    const auto end = asked_.find(number);
    const auto found = std::find_if(asked_.begin(), end, [&](const auto& each) {
      const Asked& asked = each.second;
      const bool answered = asked.answered != 0 && asked.answered <= number;
      return asked.what.kind != Kind::kRead && !answered;
    });
    return found == end ? number : found->first;
  }

  // All but reads below this had been answered before the newest flush.
  uint64_t WholeByFlush() const {
    for (auto it = asked_.rbegin(); it != asked_.rend(); ++it) {
      if (it->second.what.is_flush()) return FirstUnanswered(it->first);
    }
    return 0;
  }

  // Lone writes that a flush follows are with FUA, and the flush is none.
  std::vector<Asked> Expected(bool finds_fua) const {
    std::vector<Asked> all;
    for (auto it = asked_.upper_bound(Begin()); it != asked_.end(); ++it) {
      if (it->second.what.kind != Kind::kRead) all.push_back(it->second);
    }
    std::vector<Asked> expected;
    bool flushed = false;
    for (size_t i = 0; i < all.size(); ++i) {
      Asked asked = all[i];
      bool leaves_out = false;
      const bool writes = asked.what.kind == Kind::kWrite && asked.what.changes_range();
      if (finds_fua && flushed && writes) {
        if (i + 1 == all.size()) break;  // who knows
        leaves_out = all[i + 1].flushes() &&
                     FirstUnanswered(all[i + 1].what.number) == all[i + 1].what.number;
        if (leaves_out) asked.what.flags = LogEntry::kFua;
      }
      const bool fua = (asked.what.flags & LogEntry::kFua) != 0;
      flushed = leaves_out || asked.flushes() || (flushed && fua);
      if (asked.has_record()) expected.push_back(asked);
      if (leaves_out) {
        ++found_fua_;
        ++i;
      }
    }
    return expected;
  }

  static uint64_t FlagsOf(const Asked& asked) {
    const bool sectors = (asked.what.offset | asked.what.length) % 512 == 0;
    if (asked.what.kind == Kind::kMark) return WritesRecord::kMark;
    if (asked.what.kind == Kind::kFlush) return WritesRecord::kFlush;
    if (asked.what.kind == Kind::kDiscard && sectors) return WritesRecord::kDiscard;
    return (asked.what.flags & LogEntry::kFua) != 0 ? WritesRecord::kFua : 0;
  }

  void Check() {
    ASSERT_EQ(BeginOfWrites(*past_), Begin());
    const bool finds_fua = Below(2) == 0;
    const std::unique_ptr<View> view = LogAsWrites(*past_, {.finds_fua = finds_fua});
    const std::string whole = Read(*view, 0, view->size_bytes());
    for (int i = 0; i < 5; ++i) {
      const uint64_t offset = Below(whole.size());
      const uint64_t length = Below(std::min<uint64_t>(whole.size() - offset, 8 * kPage) + 1);
      ASSERT_TRUE(Read(*view, offset, length) == whole.substr(offset, length));
    }
    std::vector<WritesRecord> records;
    ParseWrites(whole, records);
    if (HasFatalFailure()) return;
    const std::vector<Asked> expected = Expected(finds_fua);
    ASSERT_EQ(records.size(), expected.size());
    std::string image = moments_.at(Begin());
    for (size_t i = 0; i < records.size() && !HasFatalFailure(); ++i) {
      const Asked& asked = expected[i];
      const uint64_t number = asked.what.number;
      SCOPED_TRACE(number);
      ASSERT_EQ(records[i].flags, FlagsOf(asked));
      ASSERT_EQ(records[i].text, asked.name);
      if (asked.what.changes_range()) {
        ASSERT_EQ(records[i].sector, asked.what.offset / 512);
        ASSERT_EQ(records[i].sectors,
                  (asked.what.offset + asked.what.length + 511) / 512 - records[i].sector);
      }
      records[i].Replay(image);
      ASSERT_TRUE(image == moments_.at(number));
      if (Below(16) == 0) {
        ASSERT_TRUE(image == Read(*past_->ViewAt(number, kSize, /*held=*/false), 0, kSize));
      }
    }
    replayed_ += records.size();
  }

  // One that stays open grows, and nothing of it ever changes; at last it is forgotten.
  void Follow() {
    if (followed_ == nullptr) {
      follows_from_ = BeginOfWrites(*past_);
      followed_ = LogAsWrites(*past_, {.finds_fua = Below(2) == 0});
      seen_.clear();
    }
    const uint64_t size = followed_->size_bytes();
    ASSERT_GE(size, 512 + seen_.size());
    const bool known =
        past_->log().first() <= follows_from_ + 1 && past_->oldest() <= follows_from_;
    const uint64_t offset = 512 + (Below(2) == 0 ? seen_.size() : Below(size - 511));
    std::string bytes;
    const int error =
        followed_->Read(offset, size - std::min(offset, size), [&](absl::Span<const iovec> blocks) {
          for (const iovec& block : blocks) {
            bytes.append(static_cast<const char*>(block.iov_base), block.iov_len);
          }
        });
    if (error != 0) {
      ASSERT_EQ(error, ESTALE);
      ASSERT_FALSE(known);
      ++forgotten_;
      followed_.reset();
      return;
    }
    const uint64_t from = offset - 512;
    if (from < seen_.size()) {
      ASSERT_TRUE(bytes.compare(0, seen_.size() - from, seen_, from) == 0);
    }
    if (from <= seen_.size()) seen_ = seen_.substr(0, from) + bytes;
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  MemoryLimit memory_;
  std::unique_ptr<PageStore> store_ = NewStore(kSize, memory_);
  std::unique_ptr<Past> past_ = *Past::Create("past", memory_, MemfdKeeper::None(), *store_);
  uint64_t history_ = 200 * kPage;
  std::string bytes_ = std::string(kSize, '\0');
  std::map<uint64_t, std::string> moments_;
  std::map<uint64_t, Asked> asked_;
  std::vector<CountedRequest> pending_;
  int64_t time_ = 0;
  std::unique_ptr<View> followed_;
  uint64_t follows_from_ = 0;
  std::string seen_;  // of it, without the head
  uint64_t replayed_ = 0;
  uint64_t forgotten_ = 0;
  mutable uint64_t found_fua_ = 0;
};

TEST_F(LogStreamRandom, ReplayedIsWhatTheDiskWas) {
  const uint64_t steps = FromEnvironment("RNULLFS_TEST_STEPS", Repetitions(8000));
  for (uint64_t step = 0; step < steps && !HasFatalFailure(); ++step) {
    SCOPED_TRACE(testing::Message() << "step " << step);
    const uint64_t what = Below(1000);
    if (what < 400) {
      Ask(AnyChange(), /*counts_alone=*/false);
    } else if (what < 700) {
      Ask({.kind = Kind::kFlush}, /*counts_alone=*/false);
    } else if (what < 720) {
      Ask({.kind = Kind::kFlush, .flags = LogEntry::kLost}, /*counts_alone=*/false);
    } else if (what < 800) {
      Ask({.kind = Kind::kRead, .offset = 0, .length = kPage}, /*counts_alone=*/true);
    } else if (what < 830) {
      LogEntry refused = AnyChange();
      refused.flags |= LogEntry::kRefused;
      Ask(refused, /*counts_alone=*/true);
    } else if (what < 900) {
      for (uint64_t i = Below(pending_.size() + 1); i > 0; --i) Answer(Below(pending_.size()));
    } else if (what < 950) {
      Mark();
    } else if (what < 955) {
      Jump();
    } else if (what < 960) {
      ChangeHistory();
    } else if (what < 965) {
      Adopt();
    } else {
      WriteAlone();
    }
    if (HasFatalFailure()) return;
    if (Below(20) == 0) Check();
    if (Below(10) == 0) Follow();
  }
  std::printf("%llu records replayed, %llu with FUA found; %llu times forgotten\n",
              static_cast<unsigned long long>(replayed_),
              static_cast<unsigned long long>(found_fua_),
              static_cast<unsigned long long>(forgotten_));
}

}  // namespace
}  // namespace rnullfs
