// A disk that begins as another while the heap is out, at any allocation: a write fails and has
// changed nothing, or succeeds; nothing stays held for who has not got it.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "disk_util.h"
#include "failing_new.h"
#include "past/written_record.h"
#include "rnullfs/disk_host.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr int kAllocationsMax = 2000;  // of one call

class OriginMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(host_.Start().ok());
    ASSERT_TRUE(d_.WriteJson(R"({"size": 1, "memory_backed": true, "power": true})").ok());
    ASSERT_EQ(d_.Do({.op = Op::kWrite, .length = 4, .data = "data"}), 0);
    static_cast<void>(d_.past().Take("kept", 0));  // so that there is a past
  }

  Disk::Services Services() {
    Disk::Services services = host_.services();
    return {.device = services.device,
            .memory = services.memory,
            .keeper = keeper_,
            .indexes = services.indexes,
            .find_disk = [this](const std::string&, const Requester&, bool) { return Find(); }};
  }
  // What it takes itself is not what is tested.
  Origin Find() {
    const bool was = std::exchange(limited, false);
    const Snapshot taken = *d_.past().Take("", 0);
    Origin origin;
    origin.key = {.disk = 1, .snapshot = taken.serial};
    origin.view = *d_.past().Open(taken.number, "a clone");
    origin.text = [] { return std::string("an origin with a name that is on the heap"); };
    origin.forget = [this, serial = taken.serial] { d_.past().RemoveHidden(serial); };
    limited = was;
    return origin;
  }
  uint64_t Held() const { return d_.past().figures().snapshots - 1; }

  // On a disk of its own each time, which `before` makes ready.
  void Starve(const std::function<void(Disk&)>& before,
              const std::function<absl::Status(Disk&)>& call,
              const std::function<void(Disk&, bool done)>& check) {
    const uint64_t used = host_.memory().used_bytes();
    for (int allocations = 0; allocations < kAllocationsMax; ++allocations) {
      SCOPED_TRACE(testing::Message() << "with " << allocations << " allocations");
      Disk disk(2, "e", Services());
      before(disk);
      left = allocations;
      refused = 0;
      bool done = false;
      limited = true;
      try {
        done = call(disk).ok();
      } catch (const std::bad_alloc&) {
      }
      limited = false;
      check(disk, done);
      disk.SwitchOff();
      disk.Remove();
      EXPECT_EQ(Held(), 0U);
      EXPECT_EQ(keeper_.kept, 0);
      EXPECT_EQ(host_.memory().used_bytes(), used);
      if (HasFailure() || refused == 0) {
        EXPECT_TRUE(done);
        return;
      }
    }
    FAIL() << "it never gets by";
  }
  static void IsData(Disk& disk) {
    char data[4] = {};
    EXPECT_EQ(disk.Do({.op = Op::kRead, .length = 4}, data), 0);
    EXPECT_EQ(std::string(data, 4), "data");
  }

  static constexpr const char* kBegin =
      R"({"origin": "an origin with a name that is on the heap"})";
  static constexpr const char* kBeginOn =
      R"({"origin": "an origin with a name that is on the heap", "power": true})";

  CountingKeeper keeper_;
  DiskHost host_;
  Disk d_{1, "d", host_.services()};
};

TEST_F(OriginMemoryTest, IsTakenOrNot) {
  Starve([](Disk&) {}, [](Disk& disk) { return disk.WriteJson(kBegin); },
         [&](Disk& disk, bool done) {
           const bool has = !disk.settings().origin.empty();
           EXPECT_TRUE(has || !done);
           EXPECT_EQ(disk.medium()->has_origin(), has);
           EXPECT_EQ(Held(), has ? 1U : 0U);
           ASSERT_TRUE(disk.WriteJson(kBeginOn).ok());
           IsData(disk);
         });
}

TEST_F(OriginMemoryTest, IsTakenWithPowerOrNot) {
  Starve([](Disk&) {}, [](Disk& disk) { return disk.WriteJson(kBeginOn); },
         [&](Disk& disk, bool done) {
           const bool has = !disk.settings().origin.empty();
           EXPECT_TRUE(has || !done);
           EXPECT_EQ(disk.medium()->has_origin(), has);
           EXPECT_EQ(disk.store() != nullptr, has);
           EXPECT_EQ(disk.config().power, has);
           EXPECT_EQ(Held(), has ? 1U : 0U);
           ASSERT_TRUE(has || disk.WriteJson(kBeginOn).ok());
           IsData(disk);
         });
}

TEST_F(OriginMemoryTest, IsGivenUpOrNot) {
  Starve([](Disk& disk) { ASSERT_TRUE(disk.WriteJson(kBeginOn).ok()); },
         [](Disk& disk) { return disk.Write("origin", ""); },
         [&](Disk& disk, bool done) {
           IsData(disk);
           ASSERT_TRUE(disk.Write("origin", "").ok());
           EXPECT_EQ(Held(), 0U);
           IsData(disk);
           static_cast<void>(done);
         });
}

// --- A log of writes ---------------------------------------------------------------------------

class LogOriginMemoryTest : public OriginMemoryTest {
 protected:
  // A mark, a discard, a flush, and what is written twice.
  void SetUp() override {
    OriginMemoryTest::SetUp();
    file_ = UniqueFd(mkstemp(path_.data()));
    ASSERT_TRUE(file_.valid());
    Append(WrittenHead{.records = 6});
    AppendWrite(0, "what was there before");
    WrittenRecord mark = {.flags = WrittenRecord::kMark, .text_length = sizeof kMark - 1};
    std::copy_n(kMark, sizeof kMark, mark.text);
    Append(mark);
    AppendWrite(0, "data");
    AppendWrite(800, "more");
    Append(WrittenRecord{.sector = 800, .sectors = 8, .flags = WrittenRecord::kDiscard});
    Append(WrittenRecord{.flags = WrittenRecord::kFlush});
  }
  void TearDown() override { unlink(path_.c_str()); }

  template <typename Sector>
  void Append(const Sector& sector) {
    std::string bytes(reinterpret_cast<const char*>(&sector), sizeof sector);
    bytes.resize(512);
    ASSERT_EQ(write(file_.get(), bytes.data(), bytes.size()), 512);
  }
  void AppendWrite(uint64_t sector, std::string data) {
    Append(WrittenRecord{.sector = sector, .sectors = 1});
    data.resize(512);
    ASSERT_EQ(write(file_.get(), data.data(), data.size()), 512);
  }
  std::string Begin() const { return absl::StrCat(R"({"origin": ")", path_, R"("})"); }
  std::string BeginOn() const {
    return absl::StrCat(R"({"origin": ")", path_, R"(", "power": true})");
  }
  // All of it, once: what a disk's log says.
  static void WasGoneThrough(Disk& disk) {
    IsData(disk);
    ASSERT_TRUE(disk.config().power);
    EXPECT_EQ(disk.medium()->sequence(), 6U);
  }
  void IsPendingOrNot(Disk& disk, bool has) const {
    EXPECT_EQ(disk.medium()->has_origin(), has);
    EXPECT_EQ(disk.store(), nullptr);
    EXPECT_EQ(disk.medium()->past(), nullptr);
    EXPECT_FALSE(disk.config().power);
    EXPECT_EQ(keeper_.kept, has ? 2 : 0);
  }

  static constexpr char kMark[] = "a mark whose name is so long that it is on the heap";
  std::string path_ = testing::TempDir() + "/written_log_XXXXXX";
  UniqueFd file_;
};

TEST_F(LogOriginMemoryTest, IsTakenOrNot) {
  Starve([](Disk&) {}, [this](Disk& disk) { return disk.WriteJson(Begin()); },
         [&](Disk& disk, bool done) {
           const bool has = !disk.settings().origin.empty();
           EXPECT_TRUE(has || !done);
           IsPendingOrNot(disk, has);
           ASSERT_TRUE(disk.WriteJson(BeginOn()).ok()) << disk.last_error();
           WasGoneThrough(disk);
         });
}

TEST_F(LogOriginMemoryTest, IsGoneThroughOrNot) {
  Starve([this](Disk& disk) { ASSERT_TRUE(disk.WriteJson(Begin()).ok()); },
         [](Disk& disk) { return disk.Write("power", "1"); },
         [&](Disk& disk, bool done) {
           EXPECT_EQ(disk.config().power, disk.store() != nullptr);
           EXPECT_TRUE(disk.config().power || !done);
           if (!disk.config().power) IsPendingOrNot(disk, true);
           ASSERT_TRUE(disk.Write("power", "1").ok()) << disk.last_error();
           WasGoneThrough(disk);
           EXPECT_EQ(keeper_.kept, 4) << "store, marks, past and what was before";
         });
}

TEST_F(LogOriginMemoryTest, IsTakenWithPowerOrNot) {
  Starve([](Disk&) {}, [this](Disk& disk) { return disk.WriteJson(BeginOn()); },
         [&](Disk& disk, bool done) {
           const bool has = !disk.settings().origin.empty();
           EXPECT_TRUE(has || !done);
           EXPECT_EQ(disk.config().power, has);
           if (!has) IsPendingOrNot(disk, false);
           ASSERT_TRUE(has || disk.WriteJson(BeginOn()).ok()) << disk.last_error();
           WasGoneThrough(disk);
         });
}

TEST_F(LogOriginMemoryTest, IsGivenUpOrNot) {
  Starve([this](Disk& disk) { ASSERT_TRUE(disk.WriteJson(Begin()).ok()); },
         [](Disk& disk) { return disk.Write("origin", ""); },
         [&](Disk& disk, bool done) {
           const bool has = !disk.settings().origin.empty();
           EXPECT_TRUE(has || done);
           IsPendingOrNot(disk, has);
           ASSERT_TRUE(disk.Write("origin", "").ok());
           IsPendingOrNot(disk, false);
         });
}

// The other memory: what the disk may store.
TEST_F(LogOriginMemoryTest, IsGoneThroughAsFarAsNotAtAll) {
  Disk disk(2, "e", Services());
  ASSERT_TRUE(disk.WriteJson(Begin()).ok()) << disk.last_error();
  const uint64_t used = host_.memory().used_bytes();
  int times = 0;
  for (uint64_t more = 0;; more += kPage) {
    SCOPED_TRACE(more);
    ASSERT_LT(more, 16 * kMiB);
    host_.memory().SetLimit(used + more);
    const absl::Status on = disk.Write("power", "1");
    if (on.ok()) break;
    ++times;
    EXPECT_EQ(ErrnoOf(on), ENOSPC) << on.message();
    EXPECT_GT(disk.last_error().size(), 10U);
    IsPendingOrNot(disk, true);
    EXPECT_EQ(host_.memory().used_bytes(), used);
  }
  EXPECT_GT(times, 5);
  WasGoneThrough(disk);
  disk.SwitchOff();
  disk.Remove();
  EXPECT_EQ(keeper_.kept, 0);
}

}  // namespace
}  // namespace rnullfs
