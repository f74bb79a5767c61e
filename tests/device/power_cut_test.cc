// The power goes while requests come: those that wait, or hang, and those that come later fail;
// what has been answered before is kept as the cut has it.

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "device/fault_rules_util.h"
#include "past/past.h"

namespace rnullfs {
namespace {

class PowerCutTest : public FaultRulesTest {};

TEST_F(PowerCutTest, EndsWhatWaitsAndWhatHangs) {
  disk_.SetRules(
      "a: read 0-7 hang\nb: read 8-15 delay 60s\nc: read 16-23 hang\nd: read 16-23 delay 60s");
  std::vector<std::unique_ptr<Request>> requests;
  for (int i = 0; i < 300; ++i) {
    requests.push_back(std::make_unique<Request>());
    disk_.device().Submit({Op::kRead, static_cast<uint64_t>(i % 3) * 4096, 512},
                          requests.back()->completion());
  }
  for (const auto& request : requests) EXPECT_FALSE(request->IsAnswered());
  disk_.device().Cut();
  for (const auto& request : requests) {
    const Outcome outcome = request->Wait();
    EXPECT_EQ(outcome.error, EIO);
    EXPECT_EQ(outcome.bytes, 0U);
  }
  EXPECT_EQ(disk_.rules().CountsOf("a")->pending, 0U);
  EXPECT_EQ(disk_.statistics().in_flight, 0U);
  EXPECT_EQ(disk_.Read(0, 512).error, EIO) << "it does not hang any more";
  EXPECT_EQ(disk_.Read(1 << 20, 512).error, EIO);
  EXPECT_EQ(Write(0, 'x'), EIO);
  EXPECT_EQ(disk_.rules().CountsOf("a")->hits, 100U) << "nor does it count";
}

TEST(PowerCutDeviceTest, EndsWhatALimitHoldsBack) {
  TestDisk disk({.blocksize = 512, .size = 8, .memory_backed = true, .iops = {.both = 1}});
  std::vector<std::unique_ptr<Request>> requests;
  for (int i = 0; i < 50; ++i) {
    requests.push_back(std::make_unique<Request>());
    disk.device().Submit({Op::kRead, 0, 512}, requests.back()->completion());
  }
  disk.device().Cut();
  for (const auto& request : requests) request->Wait();
  EXPECT_EQ(disk.Read(0, 512).error, EIO);
}

// Each writes growing numbers to pages of its own, and flushes now and then.
struct CutWriter {
  static constexpr uint64_t kPages = 26;
  uint64_t begin = 0;  // of its pages
  std::atomic<uint64_t> begun = 0;
  std::atomic<uint64_t> flushed = 0;

  void Run(TestDisk& disk) {
    for (uint64_t n = 1;; ++n) {
      std::string page(4096, 'x');
      std::memcpy(page.data(), &n, sizeof n);
      begun = n;
      if (disk.Write(begin + n % kPages * 4096, page).error != 0) return;
      if (n % 5 != 0) continue;
      if (disk.Do({Op::kFlush}).error != 0) return;
      flushed = n;
    }
  }

  void Check(const Medium& medium) const {
    for (uint64_t n = flushed - kPages + 1; n <= flushed; ++n) {
      uint64_t found = 0;
      const auto place = begin + n % kPages * 4096;
      ASSERT_EQ(medium.contents().CopyOut(place, sizeof found, reinterpret_cast<char*>(&found)), 0);
      EXPECT_GE(found, n) << "what was flushed is there";
      EXPECT_LE(found, begun) << "or something newer";
      EXPECT_EQ(found % kPages, n % kPages);
    }
  }
};

TEST(PowerCutDeviceTest, KeepsWhatWasFlushedBesideThreadsThatWrite) {
  for (const CutKeeps keeps : {CutKeeps::kNone, CutKeeps::kRandom, CutKeeps::kTorn}) {
    TestDisk disk({.blocksize = 512, .size = 8, .memory_backed = true});
    Medium& medium = disk.mutable_medium();
    ASSERT_TRUE(medium.Remember().ok());
    medium.past()->SetHistory(uint64_t{64} << 20);
    CutWriter writers[3];
    std::vector<std::thread> threads;
    for (CutWriter& writer : writers) {
      writer.begin = static_cast<uint64_t>(&writer - writers) << 20;
      threads.emplace_back([&] { writer.Run(disk); });
    }
    for (const CutWriter& writer : writers) {
      while (writer.flushed < 200) std::this_thread::yield();
    }
    disk.device().Cut();
    ASSERT_EQ(medium.Lose({.keeps = keeps, .seed = 1}), 0);
    const uint64_t sequence = medium.sequence();
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(medium.sequence(), sequence) << "nothing has changed since";
    for (const CutWriter& writer : writers) writer.Check(medium);
  }
}

}  // namespace
}  // namespace rnullfs
