// Names of moments.

#include "past/marks.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "past_util.h"

namespace rnullfs {
namespace {

constexpr uint64_t kHistory = 64 * kMiB;

class MarksTest : public testing::Test {
 protected:
  MarksTest() { disk_.past().SetHistory(kHistory); }

  uint64_t Set(const std::string& name, uint64_t request = 0) {
    uint64_t number = 0;
    EXPECT_EQ(disk_.past().SetMark(name, request, number), 0);
    return number;
  }
  const Marks& marks() { return disk_.past().marks(); }
  std::string Names() {
    std::string names;
    for (const Mark& mark : marks().List()) {
      names += mark.name + "@" + std::to_string(mark.number) + " ";
    }
    return names;
  }

  DiskWithPast disk_;
};

TEST_F(MarksTest, ANameIsThatOfAMoment) {
  ASSERT_EQ(disk_.Write(0, "a"), 0);
  EXPECT_EQ(Set("x"), 2);
  ASSERT_EQ(disk_.Write(0, "b"), 0);
  EXPECT_EQ(Set("y"), 4);
  EXPECT_EQ(marks().Find("x"), 2);
  EXPECT_EQ(marks().Find("y"), 4);
  EXPECT_EQ(marks().Find("z"), std::nullopt);
  EXPECT_EQ(marks().NameOf(2), "x");
  EXPECT_EQ(marks().NameOf(4), "y");
  EXPECT_EQ(marks().NameOf(3), "");
  EXPECT_EQ(Names(), "x@2 y@4 ");
  EXPECT_EQ(disk_.At(*marks().Find("x"), false), "a.......");
}

TEST_F(MarksTest, TheNewestOfAName) {
  EXPECT_EQ(Set("x"), 1);
  EXPECT_EQ(Set("y"), 2);
  EXPECT_EQ(Set("x"), 3);
  EXPECT_EQ(marks().Find("x"), 3);
  EXPECT_EQ(marks().NameOf(1), "x");
  EXPECT_EQ(Names(), "x@1 y@2 x@3 ");
}

TEST_F(MarksTest, ARequestThatComesAgainSetsNone) {
  EXPECT_EQ(Set("x", 7), 1);
  EXPECT_EQ(Set("y", 8), 2);
  EXPECT_EQ(Set("x", 7), 1);
  EXPECT_EQ(disk_.past().sequence(), 2);
  disk_.BeKilled(kHistory);
  EXPECT_EQ(Set("x", 7), 1) << "also to another process";
  EXPECT_EQ(Set("y", 8), 2);
  EXPECT_EQ(Set("x", 9), 3);
  EXPECT_EQ(Set("x", 0), 4);
  EXPECT_EQ(Set("x", 0), 5) << "nobody's comes never again";
}

// Another session's requests have the same numbers.
TEST_F(MarksTest, AnotherNameIsAnotherRequest) {
  EXPECT_EQ(Set("x", 7), 1);
  EXPECT_EQ(Set("y", 7), 2);
  EXPECT_EQ(marks().Find("y"), 2);
}

TEST_F(MarksTest, NamesAreAsLongAsFilesHave) {
  const std::string longest(Marks::kNameMax, 'n');
  const uint64_t number = Set(longest);
  EXPECT_EQ(marks().Find(longest), number);
  EXPECT_EQ(marks().NameOf(number), longest);
}

TEST_F(MarksTest, AnotherProcessHasThem) {
  Set("x");
  Set("y");
  disk_.BeKilled(kHistory);
  EXPECT_EQ(Names(), "x@1 y@2 ");
  Set("z");
  EXPECT_EQ(Names(), "x@1 y@2 z@3 ");
}

TEST_F(MarksTest, TheyGoWithTheLog) {
  disk_.past().SetHistory(1);
  Set("old");
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(disk_.past().Flush(), 0);
  EXPECT_GT(disk_.past().log().first(), 1);
  EXPECT_EQ(marks().Find("old"), std::nullopt);
  Set("new");
  EXPECT_EQ(marks().List().size(), 1);
  disk_.past().SetHistory(0);
  EXPECT_EQ(marks().Find("new"), std::nullopt);
  EXPECT_TRUE(marks().List().empty());
  disk_.past().SetHistory(kHistory);
  EXPECT_TRUE(marks().List().empty());
  Set("new");
  EXPECT_EQ(marks().List().size(), 1);
}

TEST_F(MarksTest, ThereAreOnlySoMany) {
  const uint64_t more = Marks::kMarksMax + 100;
  for (uint64_t number = 1; number <= more; ++number) {
    ASSERT_EQ(Set("m" + std::to_string(number)), number);
  }
  for (int i = 0; i < 2; ++i, disk_.BeKilled(kHistory)) {
    const std::vector<Mark> list = marks().List();
    ASSERT_EQ(list.size(), Marks::kMarksMax);
    EXPECT_EQ(list.front().number, more - Marks::kMarksMax + 1);
    EXPECT_EQ(list.back().number, more);
    for (const Mark& mark : list) {
      ASSERT_EQ(mark.name, "m" + std::to_string(mark.number));
      ASSERT_EQ(marks().NameOf(mark.number), mark.name);
    }
    EXPECT_EQ(marks().Find("m100"), std::nullopt);
    EXPECT_EQ(marks().Find("m101"), 101);
    EXPECT_EQ(marks().Find("m" + std::to_string(more)), more);
    EXPECT_EQ(marks().NameOf(100), "");
  }
}

TEST_F(MarksTest, WithoutMemoryNothingIsCounted) {
  uint64_t number = 0;
  disk_.memory().SetLimit(disk_.memory().used_bytes());
  EXPECT_EQ(disk_.past().SetMark("x", 0, number), ENOSPC);
  EXPECT_EQ(disk_.past().sequence(), 0);
  EXPECT_TRUE(marks().List().empty());
}

TEST_F(MarksTest, TheHistoryGivesWay) {
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(disk_.Write(i % 8, std::string(1, static_cast<char>('a' + i % 26))), 0);
  }
  ASSERT_EQ(disk_.past().oldest(), 0U);
  disk_.memory().SetLimit(disk_.memory().used_bytes());
  for (int i = 0; i < 200; ++i) {
    uint64_t number = 0;
    ASSERT_EQ(disk_.past().SetMark("m" + std::to_string(i), 0, number), 0) << i;
    ASSERT_EQ(marks().Find("m" + std::to_string(i)), number);
  }
  EXPECT_GT(disk_.past().oldest(), 0U);
}

// There may be a place for the name, and none for the line.
TEST_F(MarksTest, WhatIsAnsweredIsThere) {
  ASSERT_EQ(disk_.Write(0, "a"), 0);
  for (uint64_t room = 0; room < 24; ++room) {
    SCOPED_TRACE(room);
    disk_.past().log().GiveBack();
    disk_.memory().SetLimit(disk_.memory().used_bytes() + room * kPage);
    uint64_t number = 0;
    const int error = disk_.past().SetMark("x" + std::to_string(room), 0, number);
    EXPECT_TRUE(error == 0 || error == ENOSPC);
    EXPECT_EQ(marks().Find("x" + std::to_string(room)).has_value(), error == 0);
    disk_.memory().SetLimit(MemoryLimit::kNone);
  }
}

}  // namespace
}  // namespace rnullfs
