// A past while the heap is out, at any allocation: a call fails and has done nothing, or succeeds.
//
// Every call is made with 0, 1, 2, ... allocations until it gets by.

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <new>
#include <string>

#include "failing_new.h"
#include "past/snapshots.h"
#include "past_util.h"

namespace rnullfs {
namespace {

constexpr int kAllocationsMax = 200;  // of one call

class PastMemoryTest : public testing::Test {
 protected:
  // `call` returns whether it has succeeded; `check` is told.
  void Starve(const std::string& what, const std::function<bool()>& call,
              const std::function<void(bool done)>& check) {
    for (int allocations = 0; allocations < kAllocationsMax; ++allocations) {
      SCOPED_TRACE(testing::Message() << what << " with " << allocations << " allocations");
      left = allocations;
      refused = 0;
      bool done = false;
      limited = true;
      try {
        done = call();
      } catch (const std::bad_alloc&) {
      }
      limited = false;
      check(done);
      if (HasFatalFailure() || refused == 0) {
        EXPECT_TRUE(done);
        return;
      }
    }
    FAIL() << what << " never gets by";
  }

  DiskWithPast disk_{64};
  Snapshots snapshots_{disk_.past()};
};

TEST_F(PastMemoryTest, ASnapshotIsTakenOrNot) {
  ASSERT_EQ(disk_.Write(0, "a"), 0);
  const std::string name(100, 'n');
  Starve(
      "take", [&] { return snapshots_.Take(name, 0, 7).ok(); },
      [&](bool done) {
        ASSERT_EQ(snapshots_.count(), done ? 1 : 0);
        ASSERT_EQ(snapshots_.Find(name).has_value(), done);
        // A moment that nobody knows of would have it kept.
        ASSERT_EQ(disk_.Write(0, "b"), 0);
        ASSERT_EQ(disk_.Versions(), done ? 1 : 0);
      });
}

TEST_F(PastMemoryTest, ASnapshotIsRenamedOrNot) {
  const std::string names[] = {std::string(100, 'a'), std::string(100, 'b')};
  const uint32_t number = snapshots_.Take(names[0], 0, 0)->number;
  Starve(
      "rename", [&] { return snapshots_.Rename(number, names[1]).ok(); },
      [&](bool done) {
        ASSERT_EQ(snapshots_.Find(names[0]).has_value(), !done);
        ASSERT_EQ(snapshots_.Find(names[1]).has_value(), done);
        ASSERT_EQ(snapshots_.Get(number)->name, names[done ? 1 : 0]);
      });
}

TEST_F(PastMemoryTest, ASnapshotIsRemovedWithoutMemory) {
  ASSERT_EQ(disk_.Write(0, std::string(64, 'a')), 0);
  const uint32_t older = snapshots_.Take("older", 0, 0)->number;
  ASSERT_EQ(disk_.Write(0, std::string(32, 'b')), 0);
  const uint32_t newer = snapshots_.Take("newer", 0, 0)->number;
  const uint64_t moment = snapshots_.Get(older)->moment;
  ASSERT_EQ(disk_.Write(0, std::string(64, 'c')), 0);
  disk_.past().SetHistory(1000 * kPage);
  for (const uint32_t number : {newer, older}) {
    limited = true;
    left = 0;
    const bool removed = snapshots_.Remove(number).ok();
    limited = false;
    ASSERT_TRUE(removed);
    if (number == newer) {
      EXPECT_EQ(disk_.At(moment), std::string(64, 'a'));
    }
  }
  EXPECT_EQ(disk_.Versions(), 0);
}

TEST_F(PastMemoryTest, AChangeIsMadeOrNot) {
  for (const bool history : {false, true}) {
    disk_.past().SetHistory(history ? 1000 * kPage : 0);
    for (uint64_t round = 0; round < 3; ++round) {  // of a page: its first version, two, a list
      ASSERT_EQ(disk_.Write(0, std::string(64, 'a')), 0);
      const uint64_t moment = disk_.past().Hold();
      std::string now(64, 'a');
      for (const uint64_t page : {0, 63}) {
        Starve(
            "write", [&] { return disk_.Write(page, "x") == 0; },
            [&](bool done) {
              if (done) now[page] = 'x';
              ASSERT_EQ(disk_.Now(), now);
              ASSERT_EQ(disk_.At(moment), std::string(64, 'a'));
            });
      }
      Starve(
          "discard", [&] { return disk_.Discard(8) == 0; },
          [&](bool done) {
            if (done) now[8] = '.';
            ASSERT_EQ(disk_.Now(), now);
            ASSERT_EQ(disk_.At(moment), std::string(64, 'a'));
          });
      Starve(
          "roll back", [&] { return disk_.past().RollBack(moment) == 0; },
          [&](bool done) {
            if (done) {
              ASSERT_EQ(disk_.Now(), std::string(64, 'a'));
            }
            ASSERT_EQ(disk_.At(moment), std::string(64, 'a'));
          });
      disk_.past().Release(moment);
    }
  }
}

TEST_F(PastMemoryTest, AdoptionFailsOrNot) {
  ASSERT_EQ(disk_.Write(0, "abc"), 0);
  const uint64_t moment = snapshots_.Take("a", 0, 0)->moment;
  ASSERT_EQ(disk_.Write(0, "xyz"), 0);
  std::unique_ptr<Past> adopted;
  Starve(
      "adopt",
      [&] {
        absl::StatusOr<std::unique_ptr<Past>> past = Past::Adopt(
            disk_.memory(), MemfdKeeper::None(),
            UniqueFd(fcntl(disk_.past().file().fd(), F_DUPFD_CLOEXEC, 3)), 0, disk_.store());
        if (past.ok()) adopted = *std::move(past);
        return past.ok();
      },
      [](bool) {});
  EXPECT_EQ(Letters(Read(*adopted->ViewAt(moment, 3 * kPage, true), 0, 3 * kPage)), "abc");
}

}  // namespace
}  // namespace rnullfs
