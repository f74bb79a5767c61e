// A disk that begins as another while the heap is out, at any allocation: a write fails and has
// changed nothing, or succeeds; nothing stays held for who has not got it.

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "failing_new.h"
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
    services.find_disk = [this](const std::string&, const Requester&, bool) { return Find(); };
    return services;
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

}  // namespace
}  // namespace rnullfs
