// A past without memory: the history makes room, snapshots do not.

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "past/clone_store.h"
#include "past_util.h"

namespace rnullfs {
namespace {

constexpr uint64_t kFixed = 3 * kPage;  // header, records and their links

TEST(FullPast, RefusesWhatASnapshotWouldNeedAndHasItStill) {
  DiskWithPast disk(8, kFixed + 6 * kPage);
  ASSERT_EQ(disk.Write(0, "abcd"), 0);
  const uint64_t moment = disk.past().Hold();
  EXPECT_EQ(disk.Write(0, "x"), 0);
  EXPECT_EQ(disk.Write(1, "y"), 0);
  EXPECT_EQ(disk.Write(2, "z"), ENOSPC);
  EXPECT_EQ(disk.Discard(2, 2), ENOSPC) << "what it frees is wanted";
  EXPECT_EQ(disk.Write(1, "Y"), 0) << "that has been kept already";
  EXPECT_EQ(disk.Now(), "xYcd....");
  EXPECT_EQ(disk.At(moment), "abcd....");
  disk.BeKilled();  // nobody has named the moment
  EXPECT_EQ(disk.Write(2, "z"), 0);
  EXPECT_EQ(disk.Now(), "xYzd....");
}

TEST(FullPast, ARemovedSnapshotMakesRoom) {
  DiskWithPast disk(8, kFixed + 6 * kPage);
  ASSERT_EQ(disk.Write(0, "abc"), 0);
  const uint64_t moment = disk.past().Hold();
  ASSERT_EQ(disk.Write(0, "xyz"), 0);
  EXPECT_EQ(disk.Write(3, "..."), ENOSPC) << "the disk has no memory itself";
  disk.past().Release(moment);
  EXPECT_EQ(disk.Write(3, "def"), 0) << "also of versions that wait to be used again";
  EXPECT_EQ(disk.Now(), "xyzdef..");
}

TEST(FullPast, TheHistoryMakesRoomForItself) {
  DiskWithPast disk(8, kFixed + 6 * kPage);
  disk.past().SetHistory(1000 * kPage);
  ASSERT_EQ(disk.Write(0, "abc"), 0);
  for (const char* letters : {"d", "e", "f", "g", "h", "i", "j"}) {
    ASSERT_EQ(disk.Write(0, letters), 0);
  }
  EXPECT_EQ(disk.Now(), "jbc.....");
  EXPECT_LE(disk.past().history_bytes(), 3 * kPage + 4 * 64);
  const uint64_t oldest = disk.past().oldest();
  EXPECT_GT(oldest, 0);
  EXPECT_LT(oldest, disk.past().sequence());
  EXPECT_EQ(disk.At(disk.past().sequence() - 1, false).substr(1), "bc.....");
}

TEST(FullPast, TheHistoryMakesRoomForTheDisk) {
  DiskWithPast disk(8, kFixed + 8 * kPage);
  disk.past().SetHistory(1000 * kPage);
  ASSERT_EQ(disk.Write(0, "abcd"), 0);
  ASSERT_EQ(disk.Write(0, "ABCD"), 0);
  ASSERT_EQ(disk.Write(4, "efgh"), 0) << "all that there is";
  EXPECT_EQ(disk.Now(), "ABCDefgh");
  EXPECT_EQ(disk.Write(0, "xxxxxxxx"), 0) << "though nothing of it can be kept";
  EXPECT_EQ(disk.Now(), "xxxxxxxx");
  EXPECT_EQ(disk.past().oldest(), disk.past().sequence());
  EXPECT_EQ(disk.past().history_bytes(), 0);
  ASSERT_EQ(disk.Discard(4, 4), 0);
  ASSERT_EQ(disk.Write(0, "y"), 0);
  EXPECT_EQ(disk.At(disk.past().sequence() - 1, false), "xxxx....") << "it goes on";
}

TEST(FullPast, TheHistoryMakesRoomForASnapshot) {
  DiskWithPast disk(8, kFixed + 8 * kPage);
  ASSERT_EQ(disk.Write(0, "abcd"), 0);
  const uint64_t moment = disk.past().Hold();
  disk.past().SetHistory(1000 * kPage);
  ASSERT_EQ(disk.Write(0, "A"), 0);
  for (const char* letters : {"B", "C", "D"}) ASSERT_EQ(disk.Write(0, letters), 0);
  EXPECT_EQ(disk.Write(1, "XYZ"), 0);
  EXPECT_EQ(disk.At(moment), "abcd....");
  EXPECT_EQ(disk.Write(4, "e"), ENOSPC);
  EXPECT_EQ(disk.At(moment), "abcd....");
  EXPECT_EQ(disk.Now(), "DXYZ....");
}

TEST(FullPast, ARollbackThatFailsCanBeMadeAgain) {
  DiskWithPast disk(8, kFixed + 8 * kPage);
  ASSERT_EQ(disk.Write(0, "ab"), 0);
  const uint64_t moment = disk.past().Hold();
  ASSERT_EQ(disk.Write(0, "xy"), 0);
  const uint64_t later = disk.past().Hold();
  ASSERT_EQ(disk.Write(4, "pqr"), 0);
  EXPECT_EQ(disk.past().RollBack(moment), ENOSPC);
  EXPECT_EQ(disk.At(moment), "ab......");
  EXPECT_EQ(disk.At(later), "xy......");
  ASSERT_EQ(disk.Discard(4, 3), 0);
  EXPECT_EQ(disk.past().RollBack(moment), 0);
  EXPECT_EQ(disk.Now(), "ab......");
  EXPECT_EQ(disk.At(later), "xy......");
}

// The holes that it would leave behind have records, too.
TEST(FullPast, ARollbackCountsWhatItKeepsOfHoles) {
  constexpr uint64_t kPages = 600;
  DiskWithPast disk(kPages);
  ASSERT_EQ(disk.Write(0, std::string(kPages, 'a')), 0);
  const uint64_t moment = disk.past().Hold();
  ASSERT_EQ(disk.Discard(0, kPages), 0);
  const uint64_t later = disk.past().Hold();
  const uint64_t used = disk.memory().used_bytes();
  for (uint64_t more = kPages; more < kPages + 8; ++more) {
    SCOPED_TRACE(more);
    disk.memory().SetLimit(used + more * kPage);
    const int error = disk.past().RollBack(moment);
    EXPECT_EQ(disk.Now(), std::string(kPages, error == 0 ? 'a' : '.'));
    EXPECT_EQ(disk.At(later), std::string(kPages, '.'));
    if (error == 0) return;
    EXPECT_EQ(error, ENOSPC) << "nothing has changed";
  }
  FAIL() << "there is memory enough";
}

TEST(FullPast, AClonesEndIsCutOffWhollyOrNot) {
  constexpr uint64_t kBytes = uint64_t{512} << 20;  // four pages of marks
  MemoryLimit memory;
  const std::unique_ptr<PageStore> base = NewStore(kBytes);
  ASSERT_EQ(base->Write(kBytes - kPage, kPage, Pages("a").data()), 0);
  const std::unique_ptr<PageStore> own = NewStore(kBytes, memory);
  const auto clone = *CloneStore::Create(*own, std::shared_ptr<View>(base.get(), [](View*) {}),
                                         NewStore(0, memory));
  memory.SetLimit(3 * kPage);
  EXPECT_EQ(clone->PrepareToDiscard(0), ENOSPC);
  EXPECT_EQ(Letters(Read(*clone, kBytes - kPage, kPage)), "a");
  memory.SetLimit(4 * kPage);
  EXPECT_EQ(clone->PrepareToDiscard(0), 0);
  EXPECT_EQ(Letters(Read(*clone, kBytes - kPage, kPage)), "a");
  EXPECT_EQ(clone->Discard(0, kBytes), 0);
  EXPECT_EQ(Letters(Read(*clone, kBytes - kPage, kPage)), ".");
}

}  // namespace
}  // namespace rnullfs
