// What a device does with each command, whenever it may answer.

#include "rnullfs/device.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "device/bad_block_table.h"
#include "disk.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr uint64_t kEnd = 2 * kMiB;

// In every irqmode: what a command does must not depend on when it answers.
class EachIrqMode : public testing::TestWithParam<IrqMode> {
 protected:
  DeviceConfig Config(bool memory_backed) const {
    return {.size = 2,
            .irqmode = GetParam(),
            .completion_nsec = 1000,
            .memory_backed = memory_backed,
            .discard = memory_backed};
  }

  TestDisk disk_{Config(true)};
};

INSTANTIATE_TEST_SUITE_P(Device, EachIrqMode,
                         testing::Values(IrqMode::kNone, IrqMode::kSoft, IrqMode::kTimer));

TEST_P(EachIrqMode, ReadsWhatWasWritten) {
  const Outcome written = disk_.Write(1000, "some data");
  EXPECT_EQ(written.error, 0);
  EXPECT_EQ(written.bytes, 9);
  EXPECT_EQ(written.data, "");
  const Outcome read = disk_.Read(998, 13);
  EXPECT_EQ(read.error, 0);
  EXPECT_EQ(read.bytes, 13);
  EXPECT_EQ(read.data, std::string("\0\0some data\0\0", 13));
}

TEST_P(EachIrqMode, TakesTheDataAtSubmission) {
  std::string data = "before";
  Request request;
  disk_.device().Submit({Op::kWrite, 0, data.size(), data.data()}, request.completion());
  data = "after.";
  EXPECT_EQ(request.Wait().error, 0);
  EXPECT_EQ(disk_.Read(0, 6).data, "before");
}

TEST_P(EachIrqMode, DiscardFreesAndReadsAsZeros) {
  disk_.Write(0, std::string(4 * 4096, 'x'));
  const Outcome discarded = disk_.Do({Op::kDiscard, 4096, 2 * 4096});
  EXPECT_EQ(discarded.error, 0);
  EXPECT_EQ(discarded.bytes, 2 * 4096);
  EXPECT_EQ(disk_.medium().stored_pages(), 2);
  EXPECT_EQ(disk_.Read(4095, 2 * 4096 + 2).data, "x" + std::string(2 * 4096, '\0') + "x");
}

TEST_P(EachIrqMode, WriteZeroesKeepsPages) {
  disk_.Write(0, std::string(4096, 'x'));
  EXPECT_EQ(disk_.Do({Op::kWriteZeroes, 1, 2 * 4096}).error, 0);
  EXPECT_EQ(disk_.medium().stored_pages(), 1);
  EXPECT_EQ(disk_.Read(0, 4096).data, "x" + std::string(4095, '\0'));
}

TEST_P(EachIrqMode, AllocateStoresPages) {
  EXPECT_EQ(disk_.Do({Op::kAllocate, 4095, 2}).error, 0);
  EXPECT_EQ(disk_.medium().stored_pages(), 2);
  EXPECT_EQ(disk_.device().NextData(0), 0);
  EXPECT_EQ(disk_.device().NextHole(0), 2 * 4096);
}

TEST_P(EachIrqMode, FlushSucceeds) {
  const Outcome flushed = disk_.Do({Op::kFlush});
  EXPECT_EQ(flushed.error, 0);
  EXPECT_EQ(flushed.bytes, 0);
}

TEST_P(EachIrqMode, ReadsAreCutAtTheEnd) {
  struct Case {
    uint64_t offset, length, got;
  };
  for (const auto& [offset, length, got] : std::vector<Case>{{kEnd - 10, 10, 10},
                                                             {kEnd - 10, 11, 10},
                                                             {kEnd - 1, UINT64_MAX, 1},
                                                             {kEnd, 1, 0},
                                                             {kEnd + 1, 1, 0},
                                                             {UINT64_MAX, UINT64_MAX, 0},
                                                             {5, 0, 0}}) {
    const Outcome read = disk_.Read(offset, length);
    EXPECT_EQ(read.error, 0) << offset << "+" << length;
    EXPECT_EQ(read.bytes, got) << offset << "+" << length;
    EXPECT_EQ(read.data, std::string(got, '\0')) << offset << "+" << length;
  }
}

TEST_P(EachIrqMode, WhatWouldGrowMustLieWithinTheDisk) {
  const std::string data(4096, 'x');
  disk_.Write(kEnd - 4096, data);
  for (const Op op : {Op::kWrite, Op::kWriteZeroes, Op::kAllocate}) {
    for (const auto& [offset, length] :
         std::vector<std::pair<uint64_t, uint64_t>>{{kEnd - 4095, 4096},
                                                    {kEnd, 1},
                                                    {kEnd + 1, 0},
                                                    {0, kEnd + 1},
                                                    {UINT64_MAX - 10, 4096},
                                                    {4096, UINT64_MAX - 4095}}) {
      const Outcome refused = disk_.Do(
          {.op = op, .offset = offset, .length = length, .data = data.data(), .keep_size = false});
      EXPECT_EQ(refused.error, ENOSPC) << offset << "+" << length;
      EXPECT_EQ(refused.bytes, 0) << offset << "+" << length;
    }
    EXPECT_EQ(disk_.Do({op, kEnd, 0, data.data()}).error, 0) << "nothing fits anywhere";
  }
  EXPECT_EQ(disk_.medium().stored_pages(), 1);
  EXPECT_EQ(disk_.Read(kEnd - 4096, 4096).data, data);
}

TEST_P(EachIrqMode, WhatKeepsTheSizeIsCutAtTheEnd) {
  const std::string data(4096, 'x');
  for (const Op op : {Op::kDiscard, Op::kWriteZeroes, Op::kAllocate}) {
    disk_.Write(kEnd - 4096, data);
    for (const auto& [offset, length, done] :
         std::vector<std::tuple<uint64_t, uint64_t, uint64_t>>{{kEnd, 1, 0},
                                                               {kEnd + 1, 4096, 0},
                                                               {UINT64_MAX - 10, 4096, 0},
                                                               {kEnd - 2048, 4096, 2048},
                                                               {kEnd - 1, UINT64_MAX, 1}}) {
      const Outcome cut = disk_.Do({.op = op, .offset = offset, .length = length});
      EXPECT_EQ(cut.error, 0) << offset << "+" << length;
      EXPECT_EQ(cut.bytes, done) << offset << "+" << length;
    }
    const std::string left =
        op == Op::kAllocate ? data : data.substr(2048) + std::string(2048, '\0');
    EXPECT_EQ(disk_.Read(kEnd - 4096, 4096).data, left);
  }
}

// Whatever a discard would meet: none taken, bad sectors, faults.
TEST_P(EachIrqMode, ATruncationIsAFiles) {
  DeviceConfig config = Config(true);
  config.discard = false;
  config.timeout_inject = {.probability = 100, .times = FaultAttr::kUnlimited};
  disk_.PowerOn(Config(true));
  disk_.Write(0, std::string(4 * 4096, 'x'));
  disk_.PowerOn(config);
  const Outcome cut =
      disk_.Do({.op = Op::kDiscard, .offset = 5000, .length = kEnd - 5000, .truncates = true});
  EXPECT_EQ(cut.error, 0);
  EXPECT_EQ(disk_.medium().stored_pages(), 2);
  EXPECT_EQ(disk_.statistics()[Op::kDiscard].requests, 1);
  disk_.PowerOn(Config(true));
  EXPECT_EQ(disk_.Read(0, 4 * 4096).data, std::string(5000, 'x') + std::string(11384, '\0'));
}

TEST_P(EachIrqMode, ATruncationReachesTheCache) {
  DeviceConfig config = Config(true);
  config.cache_size = 1;
  disk_.PowerOn(config);
  disk_.Write(0, std::string(4096, 'x'));
  EXPECT_EQ(
      disk_.Do({.op = Op::kDiscard, .offset = 600, .length = kEnd - 600, .truncates = true}).error,
      0);
  EXPECT_EQ(disk_.Read(0, 4096).data, std::string(600, 'x') + std::string(3496, '\0'));
  EXPECT_EQ(disk_.Do({.op = Op::kDiscard, .length = kEnd, .truncates = true}).error, 0);
  EXPECT_EQ(disk_.medium().cached_pages(), 0);
  EXPECT_EQ(disk_.Read(0, 4096).data, std::string(4096, '\0'));
}

TEST_P(EachIrqMode, SectorsOfALoopDeviceMakeBlocks) {
  DeviceConfig config = Config(true);
  config.blocksize = 4096;
  disk_.PowerOn(config);
  const std::string sector(512, 's');
  Command write = {
      .op = Op::kWrite, .offset = 1024, .length = 512, .data = sector.data(), .direct = true};
  EXPECT_EQ(disk_.Do(write).error, EINVAL);
  EXPECT_FALSE(disk_.device().emulates_sectors());
  write.sectors = true;
  EXPECT_EQ(disk_.Do(write).error, 0);
  EXPECT_TRUE(disk_.device().emulates_sectors());
  EXPECT_EQ(disk_.Read(512, 1536).data, std::string(512, '\0') + sector + std::string(512, '\0'));
  write.offset = 1000;
  EXPECT_EQ(disk_.Do(write).error, EINVAL) << "no sector";
}

// The block is read first.
TEST_P(EachIrqMode, SectorsOfABlockThatIsBadAreBad) {
  DeviceConfig config = Config(true);
  config.blocksize = 4096;
  disk_.PowerOn(config);
  BadBlocks bad;
  ASSERT_TRUE(bad.Mark({15, 15}));
  disk_.medium().bad_blocks().Replace({}, bad);
  const std::string sector(512, 's');
  for (const auto& [offset, error] :
       std::vector<std::pair<uint64_t, int>>{{4096, EIO}, {7680, EIO}, {3584, 0}, {8192, 0}}) {
    EXPECT_EQ(disk_
                  .Do({.op = Op::kWrite,
                       .offset = offset,
                       .length = 512,
                       .data = sector.data(),
                       .direct = true,
                       .sectors = true})
                  .error,
              error)
        << offset;
  }
}

TEST_P(EachIrqMode, WithoutMemoryNothingIsKept) {
  disk_.PowerOn(Config(false));
  for (const Op op : {Op::kWrite, Op::kFlush, Op::kWriteZeroes, Op::kAllocate}) {
    EXPECT_EQ(disk_.Do({op, 0, 4, "data"}).error, 0);
  }
  EXPECT_EQ(disk_.Do({Op::kDiscard, 0, 4096}).error, EOPNOTSUPP);
  EXPECT_EQ(disk_.Write(kEnd, "x").error, ENOSPC);
  const Outcome read = disk_.Read(0, kEnd + 5);
  EXPECT_EQ(read.bytes, kEnd);
  EXPECT_EQ(read.data, std::string(kEnd, '\0'));
  EXPECT_EQ(disk_.medium().stored_pages(), 0);
  EXPECT_EQ(disk_.device().NextData(5), kEnd);
  EXPECT_EQ(disk_.device().NextHole(5), 5);
  EXPECT_EQ(disk_.device().NextHole(kEnd + 5), kEnd);
}

TEST_P(EachIrqMode, CountsEveryCommand) {
  disk_.Write(0, "12345");
  disk_.Write(kEnd, "12345");
  disk_.Read(kEnd - 3, 10);
  disk_.Do({Op::kFlush});
  const StatisticsSnapshot counted = disk_.statistics();
  EXPECT_EQ(counted[Op::kWrite].requests, 2);
  EXPECT_EQ(counted[Op::kWrite].bytes, 5);
  EXPECT_EQ(counted[Op::kWrite].errors, 1);
  EXPECT_EQ(counted[Op::kRead].requests, 1);
  EXPECT_EQ(counted[Op::kRead].bytes, 3);
  EXPECT_EQ(counted[Op::kFlush].requests, 1);
  EXPECT_EQ(counted[Op::kDiscard].requests, 0);
  EXPECT_EQ(counted.in_flight, 0);
}

TEST(DevicePower, KeepsDataWhileItIsOff) {
  TestDisk disk({.size = 1, .memory_backed = true});
  disk.Write(100, "kept");
  disk.PowerOn({.size = 1, .memory_backed = false});
  EXPECT_EQ(disk.Read(100, 4).data, std::string(4, '\0'));
  disk.Write(100, "lost");
  disk.PowerOn({.size = 1, .memory_backed = true});
  EXPECT_EQ(disk.Read(100, 4).data, "kept");
}

TEST(DevicePower, TakesANewSize) {
  TestDisk disk({.size = 2, .memory_backed = true});
  disk.Write(kMiB - 2, "data");
  disk.PowerOn({.size = 1, .memory_backed = true});
  EXPECT_EQ(disk.device().size_bytes(), kMiB);
  EXPECT_EQ(disk.Read(kMiB - 2, 4).data, "da");
  disk.PowerOn({.size = 3, .memory_backed = true});
  EXPECT_EQ(disk.Read(kMiB - 2, 4).data, std::string("da\0\0", 4));
  EXPECT_EQ(disk.Write(3 * kMiB - 1, "x").error, 0);
}

TEST(DevicePower, SizeZeroHasNoBytes) {
  TestDisk disk({.size = 0, .memory_backed = true});
  EXPECT_EQ(disk.Read(0, 1).bytes, 0);
  EXPECT_EQ(disk.Write(0, "x").error, ENOSPC);
  EXPECT_EQ(disk.Do({Op::kFlush}).error, 0);
}

TEST(DevicePower, RefusesASizeThatCannotBe) {
  CompletionQueue completions(Clock::Real());
  MemoryLimit memory;
  DeviceCounters counters;
  Medium medium{
      {.name = "test", .cache_name = "test cache", .memory = memory, .counters = counters}};
  const auto device = Device::PowerOn({.size = UINT64_MAX, .memory_backed = true}, medium, counters,
                                      {Clock::Real(), completions});
  EXPECT_EQ(ErrnoOf(device.status()), EINVAL);
}

TEST(DeviceInline, AnswersOnTheCallersThread) {
  TestDisk disk({.size = 1, .memory_backed = true});
  EXPECT_EQ(disk.Write(0, "x").thread, std::this_thread::get_id());
  EXPECT_EQ(disk.Read(0, 1).thread, std::this_thread::get_id());
}

TEST(DeviceInline, LendsTheStoresOwnMemory) {
  TestDisk disk({.size = 1, .memory_backed = true});
  disk.Write(0, "data");
  const auto where = [&disk] {
    const void* address = nullptr;
    disk.device().Submit({Op::kRead, 0, 4}, {[](void* tag, const Answer& answer) {
                                               *static_cast<const void**>(tag) =
                                                   answer.data[0].iov_base;
                                             },
                                             &address});
    return address;
  };
  EXPECT_EQ(where(), where());
}

TEST(DeviceInline, ManyThreads) {
  TestDisk disk({.size = 4, .memory_backed = true});
  std::vector<std::thread> threads;
  for (uint64_t own = 0; own < 4; ++own) {
    threads.emplace_back([&disk, own] {
      for (uint64_t step = 0; step < 500; ++step) {
        const uint64_t offset = own * kMiB + step * 512;
        const std::string data = std::to_string(offset);
        EXPECT_EQ(disk.Write(offset, data).error, 0);
        EXPECT_EQ(disk.Read(offset, data.size()).data, data);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(disk.statistics()[Op::kWrite].requests, 2000);
  EXPECT_EQ(disk.statistics().in_flight, 0);
}

}  // namespace
}  // namespace rnullfs
