// A size that becomes larger while the disk is on: all that has one agrees, or nothing has changed.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "disk_util.h"
#include "past/past.h"
#include "records/state_records.h"
#include "rnullfs/disk_host.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;

constexpr uint64_t kPages = kMiB / kPage;

class GrowTest : public testing::Test {
 protected:
  void On(const std::string& more = "") {
    const absl::Status status = disk_.WriteJson(
        R"({"memory_backed": true, "discard": true, "size": 1, "power": true)" + more + "}");
    ASSERT_TRUE(status.ok()) << status;
  }
  void ExpectSize(uint64_t mib) {
    EXPECT_EQ(disk_.config().size, mib);
    EXPECT_EQ(disk_.device()->size_bytes(), mib * kMiB);
    const bool stores = disk_.config().memory_backed;
    EXPECT_EQ(stores ? disk_.store()->size_bytes() : mib * kMiB, mib * kMiB);
    std::string byte = "x";
    const Command behind = {
        .op = Op::kWrite, .offset = mib * kMiB, .length = 1, .data = byte.data()};
    EXPECT_EQ(disk_.Do(behind), ENOSPC);
  }
  void ExpectRefused(const absl::Status& status, const std::string& why) {
    EXPECT_EQ(ErrnoOf(status), EBUSY) << status;
    EXPECT_THAT(disk_.last_error(), HasSubstr(why));
    EXPECT_THAT(disk_.last_error(), HasSubstr("write 0 to power first"));
    ExpectSize(1);
  }
  // What the process leaves.
  Disk::Memfds Left() {
    Disk::Memfds left;
    left.disk = UniqueFd(fcntl(disk_.store()->fd(), F_DUPFD_CLOEXEC, 3));
    return left;
  }
  static char ReadFrom(View& view, uint64_t page) {
    char data[kPage];
    EXPECT_EQ(view.CopyOut(page * kPage, kPage, data), 0);
    return data[kPage - 1];
  }

  DiskHost host_;
  Disk disk_{1, "disk", host_.services()};
};

TEST_F(GrowTest, EverythingThatHasASizeAgrees) {
  On();
  Write(disk_, kPages - 1, 'a');
  ASSERT_TRUE(disk_.Write("size", "3").ok()) << disk_.last_error();
  ExpectSize(3);
  EXPECT_EQ(Read(disk_, kPages), '\0');
  Write(disk_, 3 * kPages - 1, 'b');
  EXPECT_EQ(Read(disk_, kPages - 1), 'a');
  EXPECT_EQ(disk_.device()->NextData(kMiB), 3 * kMiB - kPage);
  ASSERT_TRUE(disk_.Write("size", "3").ok()) << "as it is";
  ASSERT_TRUE(disk_.WriteJson(R"({"size": 4, "iops": 1000000})").ok());
  ExpectSize(4);
  ASSERT_TRUE(disk_.Write("power", "0").ok());
  ASSERT_TRUE(disk_.Write("power", "1").ok());
  ExpectSize(4);
  EXPECT_EQ(Read(disk_, 3 * kPages - 1), 'b');
}

TEST_F(GrowTest, ADiskThatStoresNothingGrows) {
  ASSERT_TRUE(disk_.WriteJson(R"({"size": 1, "power": true})").ok());
  ASSERT_TRUE(disk_.Write("size", "1024").ok());
  ExpectSize(1024);
  EXPECT_EQ(disk_.store(), nullptr);
}

TEST_F(GrowTest, WhatCannotBeIsRefusedAndNothingHasChanged) {
  On();
  ASSERT_TRUE(disk_.Write("size", "0x1").ok());
  ExpectRefused(disk_.Write("size", "0"), "size: can only become larger");
  ExpectRefused(disk_.WriteJson(R"({"size": 2, "blocksize": 512})"), "blocksize: cannot change");
  ExpectRefused(disk_.WriteJson(R"({"size": 2, "datapath": "passthrough"})"), "passthrough");
  EXPECT_EQ(ErrnoOf(disk_.Write("size", "99999999999999")), EINVAL);
  ExpectSize(1);
  ASSERT_TRUE(disk_.store()->Share().ok());
  disk_.store()->Unshare();
  ExpectRefused(disk_.Write("size", "2"), "passthrough");
}

TEST_F(GrowTest, WhoRefusesLastHasItAsItWas) {
  On(R"(, "history": 1)");
  Write(disk_, 0, 'a');
  Write(disk_, 0, 'b');
  const Settings seen = disk_.settings();
  Settings next = seen;
  next.config.size = 5;
  std::optional<Origin> none;
  const auto refuse = [] { return Error(EBUSY, "not now"); };
  EXPECT_EQ(ErrnoOf(disk_.Become(seen, next, refuse, none).status()), EBUSY);
  ExpectSize(1);
  EXPECT_EQ(ReadFrom(**disk_.past().OpenAt(1), 0), 'a') << "the history knows nothing of it";
  // Bad blocks have changed meanwhile: it is to be made again.
  next.state.badblocks.Mark({8, 15});
  Settings other = seen;
  other.state.badblocks.Mark({0, 7});
  const auto agree = [] { return absl::OkStatus(); };
  absl::StatusOr<bool> done = disk_.Become(other, next, agree, none);
  ASSERT_TRUE(done.ok());
  EXPECT_FALSE(*done);
  ExpectSize(1);
  done = disk_.Become(seen, next, agree, none);
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(*done);
  ExpectSize(5);
}

TEST_F(GrowTest, ACacheHasNoRoomForMore) {
  On(R"(, "cache_size": 1)");
  ExpectRefused(disk_.Write("size", "2"),
                "size: cannot change while the device is powered, as the "
                "cache has no room");
  Write(disk_, 0, 'a');
  EXPECT_EQ(Read(disk_, 0), 'a');
}

TEST_F(GrowTest, SnapshotsKeepTheirSizeAndTheHistoryBeginsAnew) {
  On(R"(, "history": 1)");
  Write(disk_, 0, 'a');
  const Snapshot before = *disk_.past().Take("before", 0);
  const auto held = *disk_.past().Open(before.number, "x");
  const auto watched = *disk_.past().OpenAt(1);
  Write(disk_, 1, 'a');
  ASSERT_TRUE(disk_.Write("size", "2").ok()) << disk_.last_error();
  ExpectSize(2);
  Write(disk_, 0, 'b');
  Write(disk_, kPages, 'c');
  EXPECT_EQ(held->size_bytes(), kMiB);
  EXPECT_EQ(ReadFrom(*held, 0), 'a');
  char data[kPage];
  EXPECT_EQ(watched->CopyOut(0, kPage, data), ESTALE);
  const Moments moments = *disk_.past().moments();
  EXPECT_EQ(moments.size_bytes, 2 * kMiB);
  EXPECT_EQ(moments.first, 2);
  EXPECT_EQ(moments.last, 5) << "what was refused is counted, too";
  const auto grown = *disk_.past().OpenAt(2);
  EXPECT_EQ(ReadFrom(*grown, 0), 'a');
  EXPECT_EQ(ReadFrom(*grown, kPages), '\0');
  const auto with_b = *disk_.past().OpenAt(4);
  EXPECT_EQ(ReadFrom(*with_b, 0), 'b');
  const absl::Status back = disk_.past().RollBack("before");
  EXPECT_EQ(ErrnoOf(back), EINVAL) << "it had another size";
}

// What the origin has behind the old end never shows.
TEST_F(GrowTest, AClonesNewPartIsZeros) {
  On();
  ASSERT_TRUE(disk_.Write("size", "4").ok());
  Write(disk_, 0, 'a');
  Write(disk_, 3 * kPages, 'b');
  const Snapshot snapshot = *disk_.past().Take("s", 0);
  Disk::Services services = host_.services();
  services.find_disk = [&](const std::string& /*text*/, const Requester& /*who*/, bool /*again*/) {
    Origin origin;
    origin.key = {.disk = 1, .snapshot = snapshot.serial};
    origin.view = *disk_.past().Open(snapshot.number, "a clone");
    origin.text = [] { return std::string("disk@s"); };
    return absl::StatusOr<Origin>(std::move(origin));
  };
  Disk clone(2, "clone", services);
  ASSERT_TRUE(clone.WriteJson(R"({"origin": "disk@s", "size": 2, "power": true})").ok());
  ASSERT_TRUE(clone.Write("size", "8").ok()) << clone.last_error();
  EXPECT_EQ(clone.store()->size_bytes(), 8 * kMiB);
  for (const uint64_t page : {3 * kPages, 4 * kPages, 8 * kPages - 1}) {
    EXPECT_EQ(Read(clone, page), '\0') << page;
    Write(clone, page, 'c');
    EXPECT_EQ(Read(clone, page), 'c') << page;
  }
  EXPECT_EQ(Read(clone, 0), 'a');
  ASSERT_TRUE(clone.WriteJson(R"({"origin": "", "size": 9})").ok()) << clone.last_error();
  EXPECT_EQ(Read(clone, 0), 'a');
  EXPECT_EQ(Read(clone, 3 * kPages), 'c');
  EXPECT_EQ(clone.device()->size_bytes(), 9 * kMiB);
}

// A process that dies when the store has grown, and nobody has noted it.
TEST_F(GrowTest, WhoTakesOverGoesOnWithTheLargerSize) {
  On();
  Write(disk_, 0, 'a');
  DeviceRecord record;
  disk_.Save(record);
  ASSERT_TRUE(disk_.Write("size", "2").ok());
  Write(disk_, kPages, 'b');
  Disk next(1, "disk", host_.services());
  const absl::Status restored = next.Restore(record, Left());
  ASSERT_TRUE(restored.ok()) << restored;
  EXPECT_EQ(next.config().size, 2U);
  EXPECT_EQ(next.device()->size_bytes(), 2 * kMiB);
  EXPECT_EQ(Read(next, kPages), 'b') << "it had been answered";
  EXPECT_TRUE(next.Write("size", "2").ok()) << "the write comes again";
  record.config.config.size = 3;
  Disk damaged(1, "disk", host_.services());
  EXPECT_FALSE(damaged.Restore(record, Left()).ok());
  next.SwitchOff();
  disk_.SwitchOff();
}

TEST_F(GrowTest, ADiskGrowsBesideRequestsSnapshotsAndReaders) {
  On(R"(, "history": 1)");
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; !stop; ++i) {
        const uint64_t page = disk_.device()->size_bytes() / kPage - (i % 8 * 2 + t + 1);
        Write(disk_, page, static_cast<char>('a' + t));
        ASSERT_EQ(Read(disk_, page), 'a' + static_cast<char>(t));
      }
    });
  }
  Write(disk_, 0, 'z');
  const Snapshot first = *disk_.past().Take("first", 0);
  const auto view = *disk_.past().Open(first.number, "x");
  threads.emplace_back([&] {
    while (!stop) {
      ASSERT_EQ(ReadFrom(*view, 0), 'z');
      ASSERT_EQ(view->NextData(0), 0);
      ASSERT_LE(view->NextData(kPage), kMiB);
      ASSERT_LE(view->NextHole(0), kMiB);
    }
  });
  for (int mib = 2; mib < 30; ++mib) {
    ASSERT_TRUE(disk_.Write("size", std::to_string(mib)).ok()) << disk_.last_error();
    ASSERT_TRUE(disk_.Write("iops", mib % 2 == 0 ? "0" : "1000000").ok());
    ASSERT_TRUE(disk_.Write("irqmode", std::to_string(mib % 2)).ok());
    ASSERT_TRUE(disk_.past().Take(std::to_string(mib), 0).ok());
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  ExpectSize(29);
}

}  // namespace
}  // namespace rnullfs
