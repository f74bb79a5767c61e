// Directories read in pieces, while others change them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tree/refused.h"
#include "tree/tree_test.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;

using ListingTest = TreeTest;

TEST_F(ListingTest, GoesOnWhereItStopped) {
  std::vector<std::string> expected = {".", "..", "features", "status.json", "power"};
  for (int i = 0; i < 300; ++i) expected.push_back(Device("d" + std::to_string(i))->name());
  EXPECT_EQ(List(kRootInode), expected);
  for (const size_t chunk : {1, 3, 100}) {
    std::vector<std::string> names;
    for (uint64_t offset = 0;;) {
      const std::vector<std::string> more = List(kRootInode, offset, chunk, &offset);
      if (more.empty()) break;
      names.insert(names.end(), more.begin(), more.end());
    }
    EXPECT_EQ(names, expected) << "in pieces of " << chunk;
  }
}

TEST_F(ListingTest, SkipsNothingWhenOthersGo) {
  for (int i = 0; i < 10; ++i) Device("d" + std::to_string(i));
  uint64_t offset = 0;
  EXPECT_EQ(List(kRootInode, 0, 7, &offset).back(), "d1");
  ASSERT_THAT(tree_.Remove(kRootInode, "d0"), IsOk());
  ASSERT_THAT(tree_.Remove(kRootInode, "d1"), IsOk());
  ASSERT_THAT(tree_.Remove(kRootInode, "d2"), IsOk());
  EXPECT_THAT(List(kRootInode, offset, 2), ElementsAre("d3", "d4"));
}

TEST_F(ListingTest, AgreesWithStat) {
  ASSERT_THAT(Device("d")->WriteJson({.data = R"({"power": true})"}), IsOk());
  for (const Inode directory : {kRootInode, Find(kRootInode, "d")}) {
    const absl::Status status = tree_.Find(directory)->List(
        0, [&](std::string_view name, Inode inode, mode_t type, uint64_t) {
          EXPECT_EQ(tree_.Find(inode)->Stat().value().st_mode & S_IFMT, type) << name;
          if (name[0] != '.') {
            EXPECT_EQ(Find(directory, name), inode) << name;
          }
          return true;
        });
    EXPECT_THAT(status, IsOk());
  }
}

}  // namespace
}  // namespace rnullfs
