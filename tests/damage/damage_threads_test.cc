// Requests that are harmed beside others that are not, readers, and those who heal.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "damage_util.h"
#include "from_environment.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPagesEach = 8;
constexpr uint64_t kAreas = 4;  // two of them are never harmed
constexpr uint64_t kSize = kAreas * kPagesEach * kPage;

class DamageThreads : public testing::Test {
 protected:
  ~DamageThreads() override { Stop(); }

  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  int Write(uint64_t page, char letter, const Harm* harm = nullptr) {
    return disk_.Write(page * kPage, std::string(kPage, letter), harm);
  }
  // Whole pages are written, so that of each all sectors are the same.
  void ExpectPage(uint64_t page, char letter) {
    ASSERT_EQ(Read(disk_.damage(), page * kPage, kPage), std::string(kPage, letter));
  }

  void WriteUnharmed(uint64_t area) {
    for (uint64_t round = 1; !stop_; ++round) {
      const uint64_t page = area * kPagesEach + round % kPagesEach;
      const char letter = static_cast<char>('a' + round % 26);
      ASSERT_EQ(Write(page, letter), 0);
      ExpectPage(page, letter);
      ++rounds_;
    }
  }
  // A page of an even number goes lost, or to the next one, and is then healed one way or another.
  void WriteHarmed(uint64_t area) {
    for (uint64_t round = 1; !stop_; ++round) {
      const uint64_t page = area * kPagesEach + round * 2 % kPagesEach;
      const char letter = static_cast<char>('a' + round % 26);
      ASSERT_EQ(Write(page, '0'), 0);
      Harm harm = HarmTo(round % 3 == 0 ? FaultAction::kMisdirected : FaultAction::kLost,
                         page * kPage, kPage);
      harm.shift = kSectorsPerPage;
      ASSERT_EQ(Write(page, letter, &harm), 0);
      ExpectPage(page, '0');
      if (round % 3 == 0) ExpectPage(page + 1, letter);
      if (round % 2 == 0) {
        disk_.damage().Heal(page * kSectorsPerPage, (page + 2) * kSectorsPerPage - 1);
      } else {
        ASSERT_EQ(Write(page, letter), 0);
      }
      ExpectPage(page, letter);
      ++rounds_;
    }
  }
  void ReadAll() {
    while (!stop_) {
      for (uint64_t page = 0; page < kSize / kPage; ++page) {
        const std::string bytes = Read(disk_.damage(), page * kPage, kPage);
        ASSERT_EQ(bytes, std::string(kPage, bytes[0])) << page;
      }
      ++rounds_;
    }
  }
  // Nothing changes by it.
  void LookAround() {
    while (!stop_) {
      for (const Damage::Range& range : disk_.damage().List()) {
        ASSERT_GE(range.first, 2 * kPagesEach * kSectorsPerPage) << "that was never harmed";
        ASSERT_EQ(range.rule, "r");
      }
      ASSERT_LE(disk_.damage().NextData(kSize / 2), kSize);
      ASSERT_LE(disk_.damage().NextHole(0), kSize);
      disk_.damage().Settle(Damage::After::kChange);
      disk_.damage().any();
    }
  }

  template <typename F>
  void Start(F f) {
    threads_.emplace_back(f);
  }

  LyingDisk disk_{kAreas * kPagesEach, /*remembers=*/true};
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> rounds_{0};
  std::vector<std::thread> threads_;
};

TEST_F(DamageThreads, EachSeesWhatItWroteOrWhatBecameOfIt) {
  disk_.past().SetHistory(kMiB);
  for (uint64_t area = 0; area < kAreas; ++area) {
    Start([this, area] { area < 2 ? WriteUnharmed(area) : WriteHarmed(area); });
  }
  Start([this] { ReadAll(); });
  Start([this] { LookAround(); });
  const uint64_t rounds = FromEnvironment("RNULLFS_TEST_STEPS", Repetitions(4'000));
  while (rounds_ < rounds && !HasFailure()) std::this_thread::yield();
  Stop();
  disk_.damage().HealAll();
  EXPECT_TRUE(disk_.ShownBytes() == disk_.TruthBytes());
}

}  // namespace
}  // namespace rnullfs
