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

// Beside a disk that takes a page of what is left just before another one is stored.
class Beset final : public Store {
 public:
  Beset(Store& below, Store& other) : below_(below), other_(other) {}
  int Read(uint64_t offset, uint64_t length, Sink sink) override {
    return below_.Read(offset, length, sink);
  }
  uint64_t NextData(uint64_t offset) const override { return below_.NextData(offset); }
  uint64_t NextHole(uint64_t offset) const override { return below_.NextHole(offset); }
  uint64_t size_bytes() const override { return below_.size_bytes(); }
  int Write(uint64_t offset, uint64_t length, const void* data) override {
    BeTakenFrom();
    return below_.Write(offset, length, data);
  }
  int Discard(uint64_t offset, uint64_t length) override { return below_.Discard(offset, length); }
  int WriteZeroes(uint64_t offset, uint64_t length) override {
    return below_.WriteZeroes(offset, length);
  }
  int Allocate(uint64_t offset, uint64_t length) override {
    BeTakenFrom();
    return below_.Allocate(offset, length);
  }

  int stored_before = -1;  // of a page: how many are, before it comes to that

 private:
  void BeTakenFrom() {
    if (stored_before-- == 0) static_cast<void>(other_.Allocate(0, other_.size_bytes()));
  }
  Store& below_;
  Store& other_;
};

TEST(FullPast, ARollbackBesideADiskThatTakesTheMemoryIsWholeOrNothing) {
  constexpr uint64_t kPages = 6;
  for (int stored_before = 0; stored_before < int{2 * kPages}; ++stored_before) {
    SCOPED_TRACE(stored_before);
    MemoryLimit memory;
    const std::unique_ptr<PageStore> store = NewStore(kPages * kPage, memory);
    const std::unique_ptr<PageStore> other = NewStore(kPage, memory);
    Beset beset(*store, *other);
    const std::unique_ptr<Past> past = *Past::Create("past", memory, MemfdKeeper::None(), beset);
    ASSERT_EQ(past->Write(0, kPages * kPage, Pages("abcdef").data()), 0);
    const uint64_t moment = past->Hold();
    ASSERT_EQ(past->Discard(0, kPages * kPage), 0);
    memory.SetLimit(memory.used_bytes() + kPages * kPage);
    beset.stored_before = stored_before;
    const int error = past->RollBack(moment);
    const std::string now = Letters(Read(*past, 0, kPages * kPage));
    EXPECT_EQ(now, error == 0 ? "abcdef" : "......");
    EXPECT_EQ(error, stored_before < int{kPages} ? ENOSPC : 0);
    EXPECT_EQ(store->stored_pages(), error == 0 ? kPages : 0);
  }
}

TEST(FullPast, ToGoBackWhereNothingHasToBeKeptNeedsNoMemory) {
  DiskWithPast disk(8);
  ASSERT_EQ(disk.Write(0, "abcdefgh"), 0);
  const uint64_t moment = disk.past().Hold();
  ASSERT_EQ(disk.Write(2, "XYZ"), 0);
  disk.memory().SetLimit(disk.memory().used_bytes());
  EXPECT_EQ(disk.past().RollBack(moment), 0);
  EXPECT_EQ(disk.Now(), "abcdefgh");
}

// It had its memory when it began, and whoever goes on asks nobody.
TEST(FullPast, ARollbackThatHasBegunIsFinishedWithoutMemory) {
  DiskWithPast disk(8);
  ASSERT_EQ(disk.Write(0, "abcdefgh"), 0);
  uint64_t moments[2];
  for (uint32_t i = 0; i < 2; ++i) {
    moments[i] = disk.past().Hold();
    VersionFile::SnapshotEntry* const entry = disk.past().file().MakeSnapshot(i);
    entry->moment = moments[i];
    entry->serial = i + 1;
    if (i > 0) continue;
    ASSERT_EQ(disk.Write(0, "ABCDEFGH"), 0);
  }
  disk.memory().SetLimit(disk.memory().used_bytes());
  disk.past().file().header().rollback_request = 7;
  disk.past().file().header().rollback_to = moments[0] + 1;
  disk.BeKilled();
  EXPECT_EQ(disk.Now(), "abcdefgh");
  EXPECT_EQ(disk.At(moments[1]), "ABCDEFGH");
  EXPECT_TRUE(disk.past().RolledBackBy(7));
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
