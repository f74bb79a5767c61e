// A disk to which fault rules are given.
#ifndef RNULLFS_TESTS_DEVICE_FAULT_RULES_UTIL_H_
#define RNULLFS_TESTS_DEVICE_FAULT_RULES_UTIL_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "device/disk.h"

namespace rnullfs {

inline DeviceConfig Config(uint64_t seed = 1) {
  return {.blocksize = 512, .size = 16, .memory_backed = true, .discard = true, .seed = seed};
}

class FaultRulesTest : public testing::Test {
 protected:
  int Write(uint64_t sector, char c, uint64_t sectors = 1) {
    return disk_.Write(sector * 512, std::string(sectors * 512, c)).error;
  }
  int Read(uint64_t sector, uint64_t sectors = 1) {
    return disk_.Read(sector * 512, sectors * 512).error;
  }
  char At(uint64_t sector) { return disk_.Read(sector * 512, 512).data.at(0); }
  uint64_t Seen(const char* rule) { return disk_.rules().CountsOf(rule)->seen; }
  uint64_t Hits(const char* rule) { return disk_.rules().CountsOf(rule)->hits; }

  // How many of so many reads fail, in a row: "..x.".
  std::string Failing(int reads) {
    std::string row;
    for (int i = 0; i < reads; ++i) row += Read(0) == 0 ? '.' : 'x';
    return row;
  }

  TestDisk disk_{Config()};
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_DEVICE_FAULT_RULES_UTIL_H_
