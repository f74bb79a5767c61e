// A log of writes as what a disk goes through: what it does, and what is none.

#include "past/written_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "past/log_files.h"
#include "past_util.h"
#include "rnullfs/clock.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint64_t kHistory = uint64_t{64} << 20;

std::string U64(uint64_t value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

// A log, written by what its kernel module says of it.
class Log {
 public:
  explicit Log(uint32_t sector_bytes = 512) : sector_bytes_(sector_bytes) {}

  Log& Add(uint64_t flags, uint64_t sector, uint64_t sectors, std::string_view data = "",
           std::string_view text = "") {
    records_ +=
        Padded(U64(sector) + U64(sectors) + U64(flags) + U64(text.size()) + std::string(text));
    records_ += data;
    ++count_;
    return *this;
  }
  // A letter for each sector.
  Log& Write(uint64_t sector, std::string_view letters, uint64_t flags = 0) {
    std::string data;
    for (const char letter : letters) data += std::string(sector_bytes_, letter);
    return Add(flags, sector, letters.size(), data);
  }
  Log& Flush() { return Add(1, 0, 0); }
  Log& Discard(uint64_t sector, uint64_t sectors) { return Add(4, sector, sectors); }
  Log& Mark(std::string_view text) { return Add(8, 0, 0, "", text); }

  std::string Bytes(uint64_t more = 0, uint64_t version = 1) const {
    return Padded(U64(0x6a736677736872) + U64(version) + U64(count_ + more) + U64(sector_bytes_)) +
           records_;
  }

 private:
  std::string Padded(std::string bytes) const {
    bytes.resize(sector_bytes_);
    return bytes;
  }

  const uint32_t sector_bytes_;
  std::string records_;
  uint64_t count_ = 0;
};

class WrittenLogTest : public testing::Test {
 protected:
  WrittenLogTest() { disk_.past().SetHistory(kHistory); }
  void SetUp() override {
    file_ = UniqueFd(mkstemp(path_.data()));
    ASSERT_TRUE(file_.valid());
  }
  void TearDown() override { unlink(path_.c_str()); }

  absl::StatusOr<std::shared_ptr<WrittenLog>> Open(const std::string& bytes) {
    EXPECT_EQ(ftruncate(file_.get(), 0), 0);
    EXPECT_EQ(pwrite(file_.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
    std::shared_ptr<FileView> view =
        *FileView::Open("f", UniqueFd(fcntl(file_.get(), F_DUPFD_CLOEXEC, 3)));
    EXPECT_TRUE(WrittenLog::IsOne(*view));
    return WrittenLog::Open("f", std::move(view));
  }
  std::string Refusal(const std::string& bytes) {
    const auto log = Open(bytes);
    EXPECT_EQ(ErrnoOf(log.status()), EINVAL);
    return std::string(log.status().message());
  }
  absl::Status Replay(const std::string& bytes) {
    const auto log = Open(bytes);
    return log.ok() ? (*log)->ReplayTo(disk_.past(), Clock::Real()) : log.status();
  }
  std::string Replayed(const Log& log) {
    EXPECT_TRUE(Replay(log.Bytes()).ok());
    return Sectors();
  }
  // The first eight sectors of the disk, a letter each.
  std::string Sectors(uint64_t sector_bytes = 512) {
    std::string letters;
    for (uint64_t i = 0; i < 8; ++i) {
      const std::string sector = Read(disk_.past(), i * sector_bytes, sector_bytes);
      EXPECT_EQ(sector, std::string(sector_bytes, sector[0]));
      letters += sector[0] == '\0' ? '.' : sector[0];
    }
    return letters;
  }
  std::string LogOfDisk() {
    const std::unique_ptr<View> writes = LogAsWrites(disk_.past(), {});
    return Read(*writes, 0, writes->size_bytes());
  }

  std::string path_ = testing::TempDir() + "/written_log_XXXXXX";
  UniqueFd file_;
  DiskWithPast disk_;
};

TEST_F(WrittenLogTest, DoesWhatItSaysInOrder) {
  EXPECT_EQ(Replayed(Log().Write(0, "ab").Write(1, "cd").Discard(0, 1).Write(7, "z", 2)),
            ".cd....z");
}

TEST_F(WrittenLogTest, IsThenTheLogOfTheDisk) {
  const std::string bytes = Log()
                                .Mark("begin")
                                .Write(0, "abcdefgh")
                                .Flush()
                                .Write(3, "x", 2)
                                .Discard(0, 3)
                                .Mark("end")
                                .Write(9, "y")
                                .Bytes();
  ASSERT_TRUE(Replay(bytes).ok());
  EXPECT_EQ(LogOfDisk(), bytes);
  EXPECT_EQ(disk_.past().marks().Find("begin"), 1U);
}

TEST_F(WrittenLogTest, EachRequestIsAnsweredBeforeTheNext) {
  ASSERT_TRUE(Replay(Log().Write(0, "a").Write(1, "b").Flush().Write(2, "c").Bytes()).ok());
  const RequestLog& log = disk_.past().log();
  ASSERT_EQ(log.last(), 4U);
  for (uint64_t number = 1; number <= 4; ++number) {
    EXPECT_EQ(log.At(number)->answered, number + 1) << number;
    EXPECT_GT(log.At(number)->began_nsec, 0) << number;
  }
  EXPECT_EQ(log.At(3)->unanswered, 3U) << "all before it is covered";
}

// The block layer makes two of it before dm-log-writes sees it, but not everywhere.
TEST_F(WrittenLogTest, AFlushWithDataFlushesFirst) {
  ASSERT_TRUE(Replay(Log().Write(0, "a").Write(1, "b", 1 | 2 | 16).Bytes()).ok());
  using Kind = LogEntry::Kind;
  std::vector<Kind> kinds;
  for (uint64_t number = 1; number <= disk_.past().sequence(); ++number) {
    kinds.push_back(disk_.past().log().At(number)->kind);
  }
  EXPECT_THAT(kinds, ElementsAre(Kind::kWrite, Kind::kFlush, Kind::kWrite));
  EXPECT_EQ(disk_.past().log().At(3)->flags, LogEntry::kFua);
}

TEST_F(WrittenLogTest, SectorsMayBeLarger) {
  Log log(2048);
  log.Write(1, "ab").Discard(2, 1).Mark("m").Write(3, "c");
  const auto opened = Open(log.Bytes());
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ((*opened)->needs().block_bytes, 2048U);
  EXPECT_EQ((*opened)->needs().size_bytes, 4 * 2048U);
  ASSERT_TRUE((*opened)->ReplayTo(disk_.past(), Clock::Real()).ok());
  EXPECT_EQ(Sectors(2048), ".a.c....");
}

TEST_F(WrittenLogTest, MarksGetNamesThatTheyCanHave) {
  Log log;
  for (const char* text : {"a b", "dir/x", "17", "now", ".", "..", "", "x\n99 forged"})
    log.Mark(text);
  log.Mark(std::string_view("a\0b", 3)).Mark(std::string(400, 'm'));
  log.Mark(std::string(254, 'u') + "\xc3\xa4");
  ASSERT_TRUE(Replay(log.Bytes()).ok());
  std::vector<std::string> names;
  for (const Mark& mark : disk_.past().marks().List()) names.push_back(mark.name);
  EXPECT_THAT(names, ElementsAre("a b", "dir_x", "mark-17", "mark-now", "mark-.", "mark-..",
                                 "mark-", "x\\x0a99 forged", "a\\x00b",
                                 std::string(Marks::kNameMax, 'm'), std::string(254, 'u')));
}

// As the history counts it (Past::Write()): at 64 MiB each.
TEST_F(WrittenLogTest, ALongWriteIsCountedInPieces) {
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  DiskWithPast large(66 * kMiB / kPage);
  large.past().SetHistory(kHistory);
  const std::string data(2 * kMiB, 'l');
  const auto log = *Open(Log().Add(0, 63 * kMiB / 512, 2 * kMiB / 512, data).Bytes());
  ASSERT_TRUE(log->ReplayTo(large.past(), Clock::Real()).ok());
  EXPECT_EQ(large.past().sequence(), 2U);
  EXPECT_EQ(Read(large.past(), 63 * kMiB, 2 * kMiB), data);
}

TEST_F(WrittenLogTest, RecordsOfNothingDoNothing) {
  EXPECT_EQ(Replayed(Log().Write(0, "a").Add(0, 1 << 30, 0).Add(1, 1 << 30, 0).Add(4, 1 << 30, 0)),
            "a.......");
  EXPECT_EQ(disk_.past().sequence(), 2U) << "a write and a flush";
}

TEST_F(WrittenLogTest, WhatLiesBehindItsRecordsIsNotRead) {
  EXPECT_TRUE(Replay(Log().Write(0, "a").Bytes() + "what the log had before").ok());
}

// As a history keeps all of it that has as many bytes.
TEST_F(WrittenLogTest, SaysHowMuchHistoryItNeeds) {
  std::mt19937 random(3);
  Log log;
  for (int i = 0; i < 3000; ++i) {
    const uint64_t sector = random() % 50;
    if (random() % 4 == 0) {
      log.Discard(sector, 1 + random() % 10);
    } else {
      log.Write(sector, std::string(1 + random() % 12, static_cast<char>('a' + i % 26)));
    }
  }
  const auto opened = *Open(log.Bytes());
  disk_.past().SetHistory(opened->needs().history_bytes);
  ASSERT_TRUE(opened->ReplayTo(disk_.past(), Clock::Real()).ok());
  EXPECT_EQ(disk_.past().log().first(), 1U);
  EXPECT_EQ(disk_.past().oldest(), 0U);
  EXPECT_EQ(LogOfDisk(), log.Bytes());
}

// --- What is none ------------------------------------------------------------------------------

TEST_F(WrittenLogTest, AnImageIsNone) {
  ASSERT_EQ(pwrite(file_.get(), "an image", 8, 0), 8);
  ASSERT_EQ(ftruncate(file_.get(), 4096), 0);
  EXPECT_FALSE(WrittenLog::IsOne(**FileView::Open("f", std::move(file_))));
}

TEST_F(WrittenLogTest, ItsHeadIsLookedAt) {
  EXPECT_THAT(Refusal(Log().Write(0, "a").Bytes(0, 2)), HasSubstr("of version 2; 1 is known"));
  EXPECT_THAT(Refusal(Log(8192).Write(0, "a").Bytes()), HasSubstr("sectors of 8192 bytes"));
  EXPECT_THAT(Refusal(Log(513).Write(0, "a").Bytes()), HasSubstr("sectors of 513 bytes"));
  EXPECT_THAT(Refusal(Log().Bytes()), HasSubstr("without a record"));
}

TEST_F(WrittenLogTest, ItsRecordsAreLookedAt) {
  const Log good = Log().Write(0, "a");
  EXPECT_THAT(Refusal(good.Bytes(1)), HasSubstr("of 2 records, of which the file has 1"));
  EXPECT_THAT(Refusal(good.Bytes(UINT64_MAX - 1)), HasSubstr("of more requests than a history"));
  EXPECT_THAT(Refusal(Log().Discard(0, uint64_t{1} << 41).Bytes()),
              HasSubstr("of more requests than a history"));
  EXPECT_THAT(Refusal(Log().Flush().Add(0, 0, 2, std::string(512, 'x')).Bytes()),
              HasSubstr("record 1 ends behind the end of the file"));
  EXPECT_THAT(Refusal(Log().Add(32, 0, 0).Bytes()), HasSubstr("flags that are not known: 32"));
  EXPECT_THAT(Refusal(Log().Discard(UINT64_MAX - 1, 4).Bytes()), HasSubstr("where no disk is"));
  EXPECT_THAT(Refusal(Log().Add(0, 0, UINT64_MAX).Bytes()), HasSubstr("where no disk is"));
  std::string text_too_long = Log().Mark("m").Bytes();
  text_too_long.replace(512 + 24, 8, U64(481));
  EXPECT_THAT(Refusal(text_too_long), HasSubstr("record 0 is a mark whose text is too long"));
}

TEST_F(WrittenLogTest, ADiskThatIsTooSmallIsRefused) {
  const absl::Status done = Replay(Log().Write(0, "a").Write(64, "b").Bytes());
  EXPECT_EQ(ErrnoOf(done), EINVAL);
  EXPECT_THAT(done.message(), HasSubstr("record 1 is about byte 33280"));
  EXPECT_THAT(done.message(), HasSubstr("write more MiB to size"));
}

TEST_F(WrittenLogTest, AFileThatHasChangedIsNotRead) {
  const auto log = *Open(Log().Write(0, "a").Bytes());
  ASSERT_EQ(pwrite(file_.get(), "changed", 7, 5000), 7);
  const absl::Status done = log->ReplayTo(disk_.past(), Clock::Real());
  EXPECT_EQ(ErrnoOf(done), EIO);
  EXPECT_THAT(done.message(), HasSubstr("is not what it was when it was written to origin"));
}

TEST_F(WrittenLogTest, MemoryMayRunOut) {
  DiskWithPast small(8, 10 * kPage);
  small.past().SetHistory(kHistory);
  Log log;
  for (uint64_t page = 0; page < 8; ++page) log.Write(page * 8, std::string(8, 'a'));
  small.past().Hold();  // so that what is overwritten cannot be forgotten
  for (uint64_t page = 0; page < 8; ++page) log.Write(page * 8, std::string(8, 'b'));
  const absl::Status done = (*Open(log.Bytes()))->ReplayTo(small.past(), Clock::Real());
  EXPECT_EQ(ErrnoOf(done), ENOSPC);
  EXPECT_THAT(done.message(), HasSubstr("raise memory_limit or store_limit"));
}

}  // namespace
}  // namespace rnullfs
