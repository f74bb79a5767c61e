#include "device/due_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace rnullfs {
namespace {

std::vector<int> Pop(DueQueue<int>& queue, int64_t now_nsec) {
  std::vector<int> due;
  due.reserve(1000);
  queue.PopDue(now_nsec, due);
  return due;
}

TEST(DueQueue, EmptyIsNeverDue) {
  DueQueue<int> queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.NextDueNsec(), DueQueue<int>::kNever);
  EXPECT_TRUE(Pop(queue, INT64_MAX).empty());
}

TEST(DueQueue, NothingBeforeItsTime) {
  DueQueue<int> queue;
  queue.Push(100, 1);
  EXPECT_EQ(queue.NextDueNsec(), 100);
  EXPECT_TRUE(Pop(queue, 99).empty());
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(Pop(queue, 100), std::vector<int>{1});
  EXPECT_TRUE(queue.empty());
}

TEST(DueQueue, EarliestFirst) {
  DueQueue<int> queue;
  queue.Push(30, 3);
  queue.Push(10, 1);
  queue.Push(20, 2);
  queue.Push(40, 4);
  EXPECT_EQ(queue.NextDueNsec(), 10);
  EXPECT_EQ(Pop(queue, 30), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(queue.NextDueNsec(), 40);
}

TEST(DueQueue, EqualsInTheOrderTheyCame) {
  DueQueue<int> queue;
  std::vector<int> expected;
  for (int i = 0; i < 100; ++i) {
    queue.Push(7, i);
    expected.push_back(i);
  }
  EXPECT_EQ(Pop(queue, 7), expected);
}

TEST(DueQueue, AddsToWhatIsThere) {
  DueQueue<int> queue;
  queue.Push(1, 1);
  std::vector<int> due = {0};
  due.reserve(2);
  queue.PopDue(1, due);
  EXPECT_EQ(due, (std::vector<int>{0, 1}));
}

TEST(DueQueue, KeepsWhatThereIsNoRoomFor) {
  DueQueue<int> queue;
  for (int i = 0; i < 5; ++i) queue.Push(1, i);
  std::vector<int> due;
  queue.PopDue(1, due);
  EXPECT_TRUE(due.empty());
  due.reserve(3);
  const size_t room = due.capacity();
  queue.PopDue(1, due);
  EXPECT_EQ(due.size(), room);
  due.clear();
  queue.PopDue(1, due);
  EXPECT_EQ(due.front(), static_cast<int>(room));
}

TEST(DueQueue, HoldsWhatCanOnlyBeMoved) {
  DueQueue<std::unique_ptr<int>> queue;
  queue.Push(2, std::make_unique<int>(2));
  queue.Push(1, std::make_unique<int>(1));
  std::vector<std::unique_ptr<int>> due;
  due.reserve(2);
  queue.PopDue(2, due);
  ASSERT_EQ(due.size(), 2);
  EXPECT_EQ(*due[0], 1);
}

TEST(DueQueue, SortsAsAStableSortDoes) {
  std::mt19937 random(1);
  DueQueue<int> queue;
  std::vector<std::pair<int64_t, int>> items;
  for (int i = 0; i < 1000; ++i) {
    items.emplace_back(random() % 50, i);
    queue.Push(items.back().first, i);
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<int> due;
  due.reserve(items.size());
  for (int64_t now = 0; now < 50; ++now) queue.PopDue(now, due);
  ASSERT_EQ(due.size(), items.size());
  for (size_t i = 0; i < due.size(); ++i) EXPECT_EQ(due[i], items[i].second);
}

}  // namespace
}  // namespace rnullfs
