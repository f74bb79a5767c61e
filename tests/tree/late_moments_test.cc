// at/ of a disk with more changes than an inode number has room for.

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "past/past.h"
#include "tree/refused.h"
#include "tree/tree_test.h"

namespace rnullfs {
namespace {

using LateMomentsTest = TreeTest;

TEST_F(LateMomentsTest, AnInodeIsTheNewestMomentThatHasItsBits) {
  const auto node = Device("d");
  ASSERT_THAT(node->WriteJson(
                  {.data = R"({"size": 1, "memory_backed": true, "history": 1, "power": true})"}),
              IsOk());
  const Inode at = Find(MakeInode(node->id(), kDirectorySlot), "at");
  std::atomic<uint64_t>& sequence = *node->With(
      [](Disk& disk, const Doors&) { return &disk.medium()->past()->file().header().sequence; });
  sequence = 5;
  const Inode early = Find(at, "3");
  constexpr uint64_t kTurn = uint64_t{1} << 32;
  sequence = kTurn + 2;
  EXPECT_EQ(Find(at, "3"), early);
  EXPECT_THAT(tree_.Lookup(at, "2"), Refused(ENOENT));  // its inode is another one's
  EXPECT_THAT(List(at), testing::ElementsAre(".", "..", "3", absl::StrCat(kTurn + 2)));
  sequence = kTurn + 3;
  EXPECT_THAT(tree_.Lookup(at, "3"), Refused(ENOENT));
  EXPECT_EQ(Find(at, absl::StrCat(kTurn + 3)), early);
  EXPECT_EQ(tree_.Lookup(at, absl::StrCat(kTurn + 3)).value()->generation(), 1U);
  EXPECT_EQ(tree_.Lookup(Find(at, "4"), "disk").value()->generation(), 0U);
  // Bits that no number has had yet.
  sequence = 5;
  EXPECT_THAT(tree_.Find(MakeInode(node->id(), PlaceOf(early) + 3))->Stat(), Refused(ESTALE));
}

}  // namespace
}  // namespace rnullfs
