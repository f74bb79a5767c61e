// What tests of disks share: pages of one letter, and a count of what is kept for another process.
#ifndef RNULLFS_TESTS_DISK_DISK_UTIL_H_
#define RNULLFS_TESTS_DISK_DISK_UTIL_H_

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "rnullfs/disk.h"
#include "rnullfs/memfd_keeper.h"

namespace rnullfs {

inline constexpr uint64_t kMiB = uint64_t{1} << 20;
inline constexpr uint64_t kPage = 4096;

struct CountingKeeper final : public MemfdKeeper {
  int Keep(int /*memfd*/) override { return kept < most ? (++kept, 0) : EMFILE; }
  void Drop(int /*memfd*/) override { --kept; }
  int kept = 0;
  int most = 100;
};

inline void Write(Disk& disk, uint64_t page, char letter) {
  const std::string data(kPage, letter);
  EXPECT_EQ(
      disk.Do({.op = Op::kWrite, .offset = page * kPage, .length = kPage, .data = data.data()}), 0);
}

inline char Read(Disk& disk, uint64_t page) {
  char data[kPage] = {};
  EXPECT_EQ(disk.Do({.op = Op::kRead, .offset = page * kPage, .length = kPage}, data), 0);
  return data[kPage - 1];
}

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_DISK_DISK_UTIL_H_
