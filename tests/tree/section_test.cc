// Directories of a device that bring their own contents, and the numbers by which those are found.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "tree/inode.h"
#include "tree/refused.h"
#include "tree/toy_sections.h"
#include "tree/tree_test.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;

TEST(InodeNumbers, MeanWhatTheyMeantBeforeThereWereViews) {
  for (const uint64_t id : {uint64_t{1}, uint64_t{77}, kDeviceIdMax}) {
    for (const uint32_t slot : {0, 4, 16, 65535}) {
      EXPECT_EQ(MakeInode(id, slot), id << 16 | slot);
      EXPECT_EQ(DeviceIdOf(id << 16 | slot), id);
      EXPECT_EQ(PlaceOf(id << 16 | slot), slot);
    }
  }
}

TEST(InodeNumbers, TellDeviceViewAndSlot) {
  for (const uint8_t view : {0, 1, 127}) {
    const Place place = MakePlace(view, kDiskSlot);
    const Inode inode = MakeInode(kDeviceIdMax, place);
    EXPECT_EQ(DeviceIdOf(inode), kDeviceIdMax);
    EXPECT_EQ(PlaceOf(inode), place);
    EXPECT_EQ(ViewOf(place), view);
    EXPECT_EQ(SlotOf(place), kDiskSlot);
    EXPECT_EQ(IsDisk(inode), view == 0);
  }
  EXPECT_FALSE(IsDisk(MakeInode(0, kDiskSlot)));
}

TEST(InodeNumbers, HaveRoomForMoreInWideViews) {
  EXPECT_TRUE(HasView(kDeviceIdMax, 127));
  EXPECT_FALSE(HasView(kWideDeviceIdMax + 1, 128));
  for (const uint8_t view : {128, 255}) {
    EXPECT_TRUE(HasView(kWideDeviceIdMax, view));
    for (const uint32_t slot : {uint32_t{0}, kDiskSlot, UINT32_MAX}) {
      const Place place = MakePlace(view, slot);
      EXPECT_EQ(ViewOf(place), view);
      EXPECT_EQ(SlotOf(place), slot);
      for (const uint64_t id : {uint64_t{1}, kWideDeviceIdMax}) {
        const Inode inode = MakeInode(id, place);
        EXPECT_EQ(DeviceIdOf(inode), id);
        EXPECT_EQ(PlaceOf(inode), place);
        EXPECT_FALSE(IsDisk(inode));
      }
    }
  }
}

class SectionTest : public TreeTest {
 protected:
  SectionTest() : TreeTest(ToySections()) {}

  std::string Read(Inode file) {
    return tree_.Find(file)->Open(O_RDONLY).value()->Read(0, 100).value();
  }

  const Inode directory_ = MakeInode(Device("d")->id(), kDirectorySlot);
  const Inode at_ = Find(directory_, "at");
  const Inode marks_ = Find(directory_, "marks");
};

TEST_F(SectionTest, IsADirectoryOfEveryDevice) {
  Device("e");
  for (const char* device : {"d", "e"}) {
    const std::vector<std::string> names = List(Find(kRootInode, device));
    EXPECT_THAT(std::vector(names.end() - 3, names.end()), ElementsAre("rollback", "at", "marks"));
  }
  EXPECT_EQ(tree_.Find(directory_)->Stat()->st_nlink, 7U);
  EXPECT_EQ(tree_.Find(at_)->Stat()->st_mode, S_IFDIR | 0555U);
  EXPECT_EQ(tree_.Find(at_)->Stat()->st_ino, at_);
}

TEST_F(SectionTest, HasNamesOnDemand) {
  EXPECT_THAT(List(at_), ElementsAre(".", "..", "10", "20"));
  const auto moment = tree_.Lookup(at_, "17").value();
  EXPECT_FALSE(moment->lasting());
  EXPECT_THAT(List(moment->inode()), ElementsAre(".", "..", "moment"));
  EXPECT_EQ(Read(Find(moment->inode(), "moment")), "d at 17\n");
  for (const char* name : {"9", "21", "4294967312", "017", "x", ""}) {
    EXPECT_THAT(tree_.Lookup(at_, name), Refused(ENOENT)) << name;
  }
}

// As a process that takes over is asked.
TEST_F(SectionTest, IsFoundByNumberAlone) {
  const uint64_t id = DeviceIdOf(directory_);
  const Inode file = MakeInode(id, MakePlace(kAtView, 35));
  EXPECT_EQ(Read(file), "d at 17\n");
  EXPECT_EQ(tree_.Find(file)->Stat()->st_mode, S_IFREG | 0444U);
  EXPECT_EQ(tree_.Find(file)->Stat()->st_size, 8);
  for (const Place place : {MakePlace(kAtView, 19), MakePlace(kAtView, 42),
                            MakePlace(kMarksView, 1), MakePlace(3, 0), MakePlace(255, 4)}) {
    EXPECT_THAT(tree_.Find(MakeInode(id, place))->Stat(), Refused(ENOENT)) << place;
  }
  ASSERT_THAT(tree_.Remove(kRootInode, "d"), IsOk());
  EXPECT_THAT(tree_.Find(file)->Stat(), Refused(ENOENT));
}

TEST_F(SectionTest, RefusesWhatItDoesNotKnowOf) {
  const Inode moment = Find(at_, "17");
  const Inode file = Find(moment, "moment");
  EXPECT_THAT(tree_.Find(at_)->Make("18", {}), Refused(EPERM));
  EXPECT_THAT(tree_.Remove(at_, "17"), Refused(EPERM));
  EXPECT_THAT(tree_.Remove(at_, "30"), Refused(ENOENT));
  EXPECT_THAT(tree_.Remove(moment, "moment"), Refused(ENOTDIR));
  EXPECT_THAT(tree_.Find(at_)->Rename("17", *tree_.Find(at_), "18", 0),
              RefusedWith(EPERM, "nothing can be renamed"));
  EXPECT_THAT(tree_.Find(file)->Open(O_RDWR), RefusedWith(EACCES, "moment: the file is read-only"));
  EXPECT_THAT(tree_.Find(file)->Truncate(0), Refused(EACCES));
  EXPECT_THAT(tree_.Remove(directory_, "at"), Refused(EPERM));
}

TEST_F(SectionTest, TakesWhatItKnows) {
  const Inode mark = tree_.Find(marks_)->Make("before", {}).value()->inode();
  EXPECT_EQ(Find(marks_, "before"), mark);
  EXPECT_EQ(tree_.Find(marks_)->Stat()->st_nlink, 3U);
  EXPECT_THAT(tree_.Find(marks_)->Make("before", {}), Refused(EEXIST));
  ASSERT_THAT(tree_.Find(marks_)->Rename("before", *tree_.Find(marks_), "after", 0), IsOk());
  EXPECT_THAT(List(marks_), ElementsAre(".", "..", "after"));
  EXPECT_EQ(Find(marks_, "after"), mark);
  EXPECT_THAT(tree_.Find(marks_)->Rename("after", *tree_.Find(at_), "after", 0), Refused(EXDEV));
  ASSERT_THAT(tree_.Remove(marks_, "after"), IsOk());
  EXPECT_THAT(tree_.Find(mark)->Stat(), Refused(ENOENT));
}

TEST_F(SectionTest, KeepsOwnershipOfItsOwn) {
  const Inode file = Find(Find(at_, "17"), "moment");
  ASSERT_THAT(tree_.Find(file)->ChangeOwnership({.mode = 0400, .uid = 5}), IsOk());
  EXPECT_EQ(tree_.Find(file)->Stat()->st_mode, S_IFREG | 0400U);
  EXPECT_EQ(tree_.Find(file)->Stat()->st_uid, 5U);
  EXPECT_EQ(tree_.Find(Find(Find(at_, "18"), "moment"))->Stat()->st_uid, 10U);
  EXPECT_EQ(tree_.Find(Find(directory_, "size"))->Stat()->st_uid, 10U);
}

}  // namespace
}  // namespace rnullfs
