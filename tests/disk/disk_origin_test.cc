// Disks that begin as another: what may be and what not, in steps and at once; and what is left
// where it fails.

#include "rnullfs/disk_origin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "disk_util.h"
#include "past/past.h"
#include "rnullfs/disk_host.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;

class DiskOriginTest : public testing::Test {
 protected:
  static constexpr const char* kOn = R"({"size": 4, "memory_backed": true, "power": true})";

  void SetUp() override {
    ASSERT_TRUE(d_.WriteJson(kOn).ok());
    Write(d_, 0, 'd');
    Write(d_, 1000, 'e');
  }

  Disk::Services Services() {
    Disk::Services services = host_.services();
    services.find_disk = [this](const std::string& text, const Requester& /*who*/, bool /*again*/) {
      return Find(text);
    };
    return services;
  }
  // Named as what is looked for; "gone" cannot be found.
  absl::StatusOr<Origin> Find(const std::string& text) {
    if (text == "gone") return Error(ENOENT, "origin: gone");
    const absl::StatusOr<Snapshot> taken = d_.past().Take("", 0);
    if (!taken.ok()) return taken.status();
    Origin origin;
    origin.key = {.disk = 1, .snapshot = taken->serial};
    origin.view = *d_.past().Open(taken->number, "a clone");
    origin.text = [this, text] { return renamed_.empty() ? text : renamed_; };
    origin.forget = [this, serial = taken->serial] { d_.past().RemoveHidden(serial); };
    return origin;
  }
  // What a disk keeps for others.
  uint64_t Held() const { return d_.past().figures().snapshots; }
  static std::string Refused(const absl::Status& status, int error) {
    EXPECT_EQ(ErrnoOf(status), error) << status;
    return std::string(status.message());
  }

  std::string renamed_;
  DiskHost host_;
  Disk d_{1, "d", host_.services()};
  Disk e_{2, "e", Services()};
};

TEST_F(DiskOriginTest, ADiskBeginsAsAnother) {
  ASSERT_TRUE(e_.Write("origin", "d\n").ok());
  EXPECT_EQ(e_.settings().config.size, 4U);
  EXPECT_TRUE(e_.settings().config.memory_backed);
  EXPECT_EQ(e_.settings().origin, "d");
  EXPECT_EQ(e_.store(), nullptr);
  EXPECT_EQ(Held(), 1U);
  Write(d_, 0, 'x');
  ASSERT_TRUE(e_.Write("power", "1").ok());
  EXPECT_EQ(Read(e_, 0), 'd');
  EXPECT_EQ(Read(e_, 1000), 'e');
  Write(e_, 1000, 'f');
  EXPECT_EQ(Read(d_, 1000), 'e');
  EXPECT_EQ(e_.medium()->stored_pages(), 1U);
}

TEST_F(DiskOriginTest, AllInOnePieceOfJson) {
  ASSERT_TRUE(e_.WriteJson(R"({"origin": "d", "size": 8, "power": true})").ok());
  EXPECT_EQ(Read(e_, 1000), 'e');
  EXPECT_EQ(Read(e_, 2000), '\0');
  EXPECT_EQ(e_.settings().config.size, 8U);
}

TEST_F(DiskOriginTest, WhatIsRefusedLeavesNothing) {
  EXPECT_THAT(Refused(e_.Write("origin", "gone"), ENOENT), HasSubstr("gone"));
  EXPECT_EQ(e_.last_error(), "origin: gone\n");
  EXPECT_THAT(
      Refused(e_.WriteJson(R"({"origin": "d", "memory_backed": false, "power": true})"), EINVAL),
      HasSubstr("write 1 to memory_backed"));
  Refused(e_.WriteJson(R"({"origin": "d", "size": 99999999999999, "power": true})"), EINVAL);
  EXPECT_EQ(e_.settings().origin, "");
  EXPECT_FALSE(e_.config().power);
  EXPECT_EQ(e_.store(), nullptr);
  EXPECT_FALSE(e_.medium()->has_origin());
  EXPECT_EQ(Held(), 0U);
  ASSERT_TRUE(e_.WriteJson(kOn).ok());
  EXPECT_THAT(Refused(e_.Write("origin", "d"), EBUSY), HasSubstr("powered"));
  ASSERT_TRUE(e_.Write("power", "0").ok());
  EXPECT_THAT(Refused(e_.Write("origin", "d"), EINVAL), HasSubstr("contents of its own"));
  EXPECT_EQ(Held(), 0U);
  EXPECT_FALSE(d_.past().remembers());
}

// Its own snapshot would have to be let go of with its lock held, were it not for that.
TEST_F(DiskOriginTest, AnotherOneTakesItsPlaceWhileThereIsNoStore) {
  ASSERT_TRUE(e_.Write("origin", "d").ok());
  ASSERT_TRUE(e_.Write("origin", "dd").ok());
  EXPECT_EQ(e_.settings().origin, "dd");
  EXPECT_EQ(Held(), 1U);
  ASSERT_TRUE(e_.Write("origin", "").ok());
  EXPECT_EQ(Held(), 0U);
  EXPECT_FALSE(e_.medium()->has_origin());
  ASSERT_TRUE(e_.Write("power", "1").ok());
  EXPECT_EQ(Read(e_, 0), '\0');
}

TEST_F(DiskOriginTest, GoesWithTheDisk) {
  ASSERT_TRUE(e_.WriteJson(R"({"origin": "d", "power": true})").ok());
  Write(e_, 5, 'x');
  ASSERT_TRUE(e_.Write("power", "0").ok());
  EXPECT_EQ(Held(), 1U);
  e_.Remove();
  EXPECT_EQ(Held(), 0U);
  EXPECT_FALSE(d_.past().remembers());
}

// Between what is seen and what is made of it, too.
TEST_F(DiskOriginTest, AnOriginThatGetsAnotherNameIsNoOther) {
  ASSERT_TRUE(e_.WriteJson(R"({"origin": "d", "power": true})").ok());
  const Settings seen = e_.settings();
  Settings next = seen;
  next.config.store_limit = 7;
  renamed_ = "other";
  std::optional<Origin> none;
  const absl::StatusOr<bool> done = e_.Become(
      seen, next, [] { return absl::OkStatus(); }, none);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(e_.settings().origin, "other");
  EXPECT_EQ(Read(e_, 0), 'd');
  EXPECT_EQ(Held(), 1U);
}

// --- Where it fails ------------------------------------------------------------------------------

// As passthrough may be, of which only the last moment knows: with history, which begins before.
TEST_F(DiskOriginTest, APowerOnThatIsRefusedAtLastLeavesNothing) {
  ASSERT_TRUE(e_.Write("history", "1").ok());
  const uint64_t before = host_.memory().used_bytes();
  const Settings seen = e_.settings();
  Settings next = seen;
  next.origin = "d";
  next.config.size = 4;
  next.config.memory_backed = next.config.power = true;
  std::optional<Origin> found = *Find("d");
  EXPECT_EQ(ErrnoOf(e_.Become(
                          seen, next, [] { return Error(EIO, "no"); }, found)
                        .status()),
            EIO);
  ASSERT_TRUE(found);
  std::exchange(found, std::nullopt)->LetGo();
  EXPECT_EQ(Held(), 0U);
  EXPECT_EQ(e_.store(), nullptr);
  EXPECT_FALSE(e_.past().remembers());
  EXPECT_LE(host_.memory().used_bytes(), before);
  ASSERT_TRUE(e_.WriteJson(R"({"origin": "d", "power": true})").ok());
  EXPECT_EQ(Read(e_, 1000), 'e');
}

// One that had been written before stays, and is no store yet.
TEST_F(DiskOriginTest, APowerOnThatFailsCanBeTriedAgain) {
  ASSERT_TRUE(e_.Write("origin", "d").ok());
  Refused(e_.WriteJson(R"({"size": 99999999999999, "power": true})"), EINVAL);
  const Settings seen = e_.settings();
  Settings next = seen;
  next.config.power = true;
  std::optional<Origin> none;
  EXPECT_EQ(ErrnoOf(e_.Become(
                          seen, next, [] { return Error(EIO, "no"); }, none)
                        .status()),
            EIO);
  EXPECT_EQ(e_.store(), nullptr);
  EXPECT_EQ(e_.settings().origin, "d");
  EXPECT_TRUE(e_.medium()->has_origin());
  ASSERT_TRUE(e_.Write("power", "1").ok());
  EXPECT_EQ(Read(e_, 1000), 'e');
}

// What has been copied by then stays copied.
TEST_F(DiskOriginTest, ToStandAloneMayBeRefusedAtLast) {
  ASSERT_TRUE(e_.WriteJson(R"({"origin": "d", "power": true})").ok());
  const Settings seen = e_.settings();
  Settings next = seen;
  next.origin.clear();
  std::optional<Origin> none;
  EXPECT_EQ(ErrnoOf(e_.Become(
                          seen, next, [] { return Error(EIO, "no"); }, none)
                        .status()),
            EIO);
  const uint64_t used = e_.memory_used();
  EXPECT_EQ(Read(e_, 1000), 'e');
  ASSERT_TRUE(e_.Write("origin", "").ok());
  EXPECT_EQ(e_.memory_used(), used);
  EXPECT_EQ(Held(), 0U);
  EXPECT_EQ(Read(e_, 1000), 'e');
  ASSERT_TRUE(e_.Write("power", "0").ok());
  ASSERT_TRUE(e_.Write("power", "1").ok());
  EXPECT_EQ(Read(e_, 0), 'd');
}

TEST_F(DiskOriginTest, WithoutTheMemoryToStandAloneItSharesAsBefore) {
  for (uint64_t page = 0; page < 512; ++page) Write(d_, page, 'd');
  ASSERT_TRUE(e_.WriteJson(R"({"origin": "d", "store_limit": 1, "power": true})").ok());
  EXPECT_THAT(Refused(e_.Write("origin", ""), ENOSPC), HasSubstr("no memory"));
  EXPECT_EQ(e_.settings().origin, "d");
  EXPECT_EQ(Read(e_, 0), 'd');
  EXPECT_EQ(Read(e_, 1000), 'e');
  EXPECT_EQ(Held(), 1U);
  // What the same piece allows counts.
  ASSERT_TRUE(e_.WriteJson(R"({"origin": "", "store_limit": 16})").ok());
  EXPECT_EQ(Read(e_, 511), 'd');
  EXPECT_EQ(Held(), 0U);
  EXPECT_GE(e_.memory_used(), 513 * kPage);
  EXPECT_LT(e_.memory_used(), 530 * kPage);
}

TEST_F(DiskOriginTest, AStoreLimitThatIsRefusedDoesNotCount) {
  ASSERT_TRUE(e_.WriteJson(R"({"origin": "d", "store_limit": 1, "power": true})").ok());
  Refused(e_.WriteJson(R"({"store_limit": 0, "blocksize": 512})"), EBUSY);
  const std::string data(2 * kMiB, 'x');
  EXPECT_EQ(e_.Do({.op = Op::kWrite, .length = data.size(), .data = data.data()}), ENOSPC);
}

// --- Sizes ---------------------------------------------------------------------------------------

TEST_F(DiskOriginTest, WhatItGrowsByIsZerosAsOfAnyDisk) {
  ASSERT_TRUE(e_.WriteJson(R"({"origin": "d", "size": 1, "power": true})").ok());
  EXPECT_EQ(Read(e_, 0), 'd');
  ASSERT_TRUE(e_.Write("power", "0").ok());
  ASSERT_TRUE(e_.WriteJson(R"({"size": 8, "power": true})").ok());
  EXPECT_EQ(Read(e_, 0), 'd');
  EXPECT_EQ(Read(e_, 1000), '\0');
  ASSERT_TRUE(e_.Write("origin", "").ok());
  EXPECT_EQ(Read(e_, 0), 'd');
  EXPECT_EQ(Read(e_, 1000), '\0');
}

// --- While it is used ----------------------------------------------------------------------------

// Who reads and writes sees nothing of it.
TEST_F(DiskOriginTest, StandsAloneWhileItIsUsed) {
  for (const bool cached : {false, true}) {
    for (uint64_t page = 0; page < 1024; page += 3) Write(d_, page, 'd');
    Disk clone(3, "clone", Services());
    ASSERT_TRUE(clone
                    .WriteJson(absl::StrCat(R"({"origin": "d", "cache_size": )", cached ? 1 : 0,
                                            R"(, "power": true})"))
                    .ok());
    std::atomic<bool> over = false;
    std::vector<std::thread> users;
    for (uint64_t user = 0; user < 2; ++user) {
      users.emplace_back([&, user] {
        for (uint64_t i = 0; !over; ++i) {
          const uint64_t page = 3 * (i * 7 % 170) + 510 * user;
          const char letter = static_cast<char>('a' + i % 20);
          if (i % 2 == 0) {
            Write(clone, page, letter);
            EXPECT_EQ(Read(clone, page), letter);
          }
          EXPECT_EQ(Read(clone, 1020), 'd');
          EXPECT_EQ(Read(clone, 1021), '\0');
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const absl::Status alone = clone.Write("origin", "");
    EXPECT_TRUE(alone.ok()) << alone;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    over = true;
    for (std::thread& user : users) user.join();
    EXPECT_EQ(Held(), 0U);
    ASSERT_TRUE(clone.Write("power", "0").ok());
    ASSERT_TRUE(clone.Write("power", "1").ok());
    EXPECT_EQ(Read(clone, 1020), 'd');
    clone.SwitchOff();
  }
}

}  // namespace
}  // namespace rnullfs
