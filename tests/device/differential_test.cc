// The device, with its medium, against the model of null_blk.
//
// RNULLFS_TEST_SEED and RNULLFS_TEST_OPERATIONS ask for others than the usual ones.

#include "differential.h"

#include <gtest/gtest.h>

#include <string>

#include "device/bad_block_table.h"
#include "disk.h"
#include "from_environment.h"

namespace rnullfs {
namespace {

class ComparedDevice : public Compared {
 public:
  void PowerCycle(const DeviceConfig& config) override { disk_.PowerOn(config); }

  int Do(const Command& command, std::string* read) override {
    Outcome outcome = disk_.Do(command);
    *read = std::move(outcome.data);
    return outcome.error;
  }

  void EditBadBlocks(const std::string& text) override {
    const rnullfs::BadBlocks before = table().Get();
    rnullfs::BadBlocks after = before;
    ASSERT_TRUE(after.Edit(text).ok());
    ASSERT_TRUE(table().Replace(before, after));
  }
  std::string BadBlocks() override { return table().Get().Show(); }

  uint64_t Next(uint64_t offset, bool data) override {
    return data ? disk_.device().NextData(offset) : disk_.device().NextHole(offset);
  }

  Counts counts() override {
    const CacheCounters& cache = disk_.counters().cache;
    return {disk_.medium().cached_pages(), cache.written_back, cache.dropped};
  }

 private:
  BadBlockTable& table() { return disk_.medium().bad_blocks(); }

  TestDisk disk_{{.power = true, .size = Differential::kSizeMib}};
};

TEST(Differential, TheDeviceDoesWhatTheModelDoes) {
  const uint64_t seed = FromEnvironment("RNULLFS_TEST_SEED", 1);
  const uint64_t steps = FromEnvironment("RNULLFS_TEST_OPERATIONS", Repetitions(20'000));
  ComparedDevice device;
  Differential differential(device, seed);
  for (uint64_t step = 0; step < steps; ++step) {
    ASSERT_EQ(differential.Step(), "") << "RNULLFS_TEST_SEED=" << seed << ", step " << step;
  }
}

}  // namespace
}  // namespace rnullfs
