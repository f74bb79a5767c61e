#include "store/record_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>

namespace rnullfs {
namespace {

UniqueFd Duplicate(const RecordLog& log) { return UniqueFd(fcntl(log.fd(), F_DUPFD_CLOEXEC, 3)); }

// What a process finds that comes after one which was killed now.
RecordLog::Records Found(const RecordLog& log) {
  const auto reopened = RecordLog::Open(Duplicate(log));
  EXPECT_TRUE(reopened.ok()) << reopened.status();
  return reopened.ok() ? (*reopened)->All() : RecordLog::Records();
}

uint64_t StoredBytes(const RecordLog& log) {
  struct stat status = {};
  fstat(log.fd(), &status);
  return status.st_blocks * 512;
}

class RecordLogTest : public testing::Test {
 protected:
  const std::unique_ptr<RecordLog> log_ = RecordLog::Create().value();
};

TEST_F(RecordLogTest, IsEmptyWhenNew) { EXPECT_TRUE(Found(*log_).empty()); }

TEST_F(RecordLogTest, TheLastTextOfAKeyCounts) {
  EXPECT_EQ(log_->Put(7, "first"), 0);
  EXPECT_EQ(log_->Put(8, std::string("\0\xff", 2)), 0);
  EXPECT_EQ(log_->Put(7, "second"), 0);
  EXPECT_EQ(log_->Put(9, ""), 0);
  log_->Erase(8);
  log_->Erase(10);
  const RecordLog::Records expected = {{7, "second"}, {9, ""}};
  EXPECT_EQ(Found(*log_), expected);
  EXPECT_EQ(log_->All(), expected);
}

TEST_F(RecordLogTest, WhatIsFoundCanBeChanged) {
  log_->Put(1, "one");
  const auto next = RecordLog::Open(Duplicate(*log_)).value();
  next->Put(2, "two");
  next->Erase(1);
  EXPECT_EQ(Found(*next), (RecordLog::Records{{2, "two"}}));
}

TEST_F(RecordLogTest, HistoryDoesNotPileUp) {
  const std::string text(1000, 'x');
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(log_->Put(i % 10, text + std::to_string(i)), 0);
  EXPECT_LT(StoredBytes(*log_), uint64_t{4} << 20);  // of 20 MB that were put
  EXPECT_EQ(Found(*log_).size(), 10U);
  EXPECT_EQ(Found(*log_).at(9), text + "19999");
}

TEST_F(RecordLogTest, RefusesAKeyWithoutRoomForItsCounters) {
  EXPECT_EQ(log_->Put(UINT64_MAX, "x"), EINVAL);
  EXPECT_EQ(log_->MapCounters(UINT64_MAX, 0, 8), nullptr);
}

TEST_F(RecordLogTest, TheLastKeyHasRoomForThem) {
  constexpr uint64_t kLast = RecordLog::kKeyMax;
  constexpr uint64_t kEnd = 4096 + (uint64_t{1} << 20);
  EXPECT_EQ(log_->Put(kLast, "x"), 0);
  EXPECT_EQ(log_->Put(kLast + 1, "x"), EINVAL);
  EXPECT_EQ(log_->MapCounters(kLast + 1, 0, 8), nullptr);
  const auto next = RecordLog::Open(Duplicate(*log_)).value();
  for (const uint64_t at : {uint64_t{0}, uint64_t{4096}, kEnd - 8}) {
    auto* const counter = static_cast<char*>(log_->MapCounters(kLast, at, 8));
    ASSERT_NE(counter, nullptr) << at;
    *counter = 'z';
    EXPECT_EQ(*static_cast<char*>(next->MapCounters(kLast, at, 8)), 'z') << at;
    EXPECT_EQ(*static_cast<char*>(next->MapCounters(kLast - 1, at, 8)), '\0') << at;
  }
}

TEST_F(RecordLogTest, APageOutlivesItsMapping) {
  log_->Put(3, "x");
  auto* page = static_cast<char*>(log_->MapCounters(3, 0, 4096));
  ASSERT_NE(page, nullptr);
  EXPECT_EQ(page[100], 0);
  page[100] = 'y';
  const auto next = RecordLog::Open(Duplicate(*log_)).value();
  page = static_cast<char*>(next->MapCounters(3, 0, 4096));
  EXPECT_EQ(page[100], 'y');
  next->Erase(3);
  page = static_cast<char*>(next->MapCounters(3, 0, 4096));
  EXPECT_EQ(page[100], 0) << "whose key was erased";
}

TEST_F(RecordLogTest, AKeyHasMorePagesThanOne) {
  constexpr uint64_t kEnd = 4096 + (uint64_t{1} << 20);
  log_->Put(3, "x");
  const uint64_t before = StoredBytes(*log_);
  auto* last = static_cast<char*>(log_->MapCounters(3, kEnd - 8, 8));
  ASSERT_NE(last, nullptr);
  last[7] = 'y';
  EXPECT_LE(StoredBytes(*log_), before + 2 * uint64_t{4096}) << "only what is used takes memory";
  *static_cast<char*>(log_->MapCounters(3, 4096, 8)) = 'a';
  *static_cast<char*>(log_->MapCounters(4, 4096, 8)) = 'b';
  EXPECT_EQ(*static_cast<char*>(log_->MapCounters(3, 4096, 8)), 'a');
  EXPECT_EQ(log_->MapCounters(3, kEnd - 8, 9), nullptr);
  EXPECT_EQ(log_->MapCounters(3, 4088, 9), nullptr) << "mapped apart";
  EXPECT_EQ(log_->MapCounters(3, UINT64_MAX, 8), nullptr);
  const auto next = RecordLog::Open(Duplicate(*log_)).value();
  last = static_cast<char*>(next->MapCounters(3, kEnd - 8, 8));
  EXPECT_EQ(last[7], 'y');
  next->Erase(3);
  last = static_cast<char*>(next->MapCounters(3, kEnd - 8, 8));
  EXPECT_EQ(last[7], 0);
}

// A process may have 65530 mappings, and a mount many devices.
TEST_F(RecordLogTest, CountersTakeFewMappings) {
  const auto count = [] {
    std::ifstream maps("/proc/self/maps");
    return std::count(std::istreambuf_iterator<char>(maps), std::istreambuf_iterator<char>(), '\n');
  };
  const auto before = count();
  for (uint64_t key = 1; key <= 2000; ++key) {
    auto* const page = static_cast<char*>(log_->MapCounters(key, 0, 4096));
    ASSERT_NE(page, nullptr);
    *page = static_cast<char>(key);
  }
  EXPECT_LT(count() - before, 10);
  for (uint64_t key = 1; key <= 2000; ++key) {
    ASSERT_EQ(*static_cast<char*>(log_->MapCounters(key, 0, 4096)), static_cast<char>(key));
  }
}

// Wherever a process dies, what was put before is whole, what it was about to put is there or not.
TEST_F(RecordLogTest, ABeginningOfARecordIsNoRecord) {
  log_->Put(1, "one");
  const std::string rubbish(100, '\x5a');
  struct stat status = {};
  ASSERT_EQ(fstat(log_->fd(), &status), 0);
  // Behind the end, where the next record would be.
  ASSERT_EQ(pwrite(log_->fd(), rubbish.data(), rubbish.size(), 4096 + 24 + 3), 100);
  EXPECT_EQ(Found(*log_), (RecordLog::Records{{1, "one"}}));
}

// As a program does that is asked whether it could take over: who serves goes on writing.
TEST_F(RecordLogTest, IsReadWhileItIsWritten) {
  log_->Put(1, "stays");
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> put{0};
  std::thread writer([&] {
    const std::string text(50'000, 'x');
    for (; !stop; ++put) log_->Put(2 + put % 2, text + std::to_string(put));
  });
  for (int i = 0; i < 1000 || put < 1000; ++i) {
    const auto opened = RecordLog::Open(Duplicate(*log_));
    if (!opened.ok() || (*opened)->All().at(1) != "stays") {
      ADD_FAILURE() << i << ": " << opened.status();
      break;
    }
  }
  stop = true;
  writer.join();
}

TEST_F(RecordLogTest, RefusesWhatIsNoLog) {
  EXPECT_FALSE(RecordLog::Open(UniqueFd()).ok());
  UniqueFd empty(memfd_create("empty", MFD_CLOEXEC));
  EXPECT_FALSE(RecordLog::Open(std::move(empty)).ok());
  UniqueFd zeros(memfd_create("zeros", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(zeros.get(), 1 << 20), 0);
  EXPECT_FALSE(RecordLog::Open(std::move(zeros)).ok());
}

// A damaged byte is noticed, or lies where it does not matter; nothing crashes.
TEST_F(RecordLogTest, NoticesDamage) {
  for (int i = 0; i < 20; ++i) log_->Put(i, "record " + std::to_string(i));
  const RecordLog::Records before = log_->All();
  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    const off_t at = i % 4 == 0 ? random() % 24 : 4096 + random() % 700;
    char was = 0;
    ASSERT_EQ(pread(log_->fd(), &was, 1, at), 1);
    const char damaged = static_cast<char>(was ^ (1 << random() % 8));
    ASSERT_EQ(pwrite(log_->fd(), &damaged, 1, at), 1);
    const auto opened = RecordLog::Open(Duplicate(*log_));
    if (!opened.ok()) {
      ++refused;
      EXPECT_NE(opened.status().message().find("state"), std::string::npos);
    }
    ASSERT_EQ(pwrite(log_->fd(), &was, 1, at), 1);
  }
  EXPECT_GT(refused, 1000);
  EXPECT_EQ(Found(*log_), before);
}

}  // namespace
}  // namespace rnullfs
