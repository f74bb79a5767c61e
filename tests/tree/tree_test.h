// A tree without devices, and short ways to ask it.
#ifndef RNULLFS_TESTS_TREE_TREE_TEST_H_
#define RNULLFS_TESTS_TREE_TREE_TEST_H_

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "device/completion_queue.h"
#include "rnullfs/clock.h"
#include "tree/refused.h"
#include "tree/tree.h"

namespace rnullfs {

class TreeTest : public testing::Test {
 protected:
  explicit TreeTest(Sections sections = DeviceSections()) : sections_(sections) {}

  absl::StatusOr<std::shared_ptr<DeviceNode>> MakeDevice(std::string_view name) {
    return tree_.MakeDevice(name, {.uid = 10, .gid = 20});
  }
  std::shared_ptr<DeviceNode> Device(std::string_view name) { return MakeDevice(name).value(); }
  Inode Find(Inode directory, std::string_view name) {
    return tree_.Lookup(directory, name).value()->inode();
  }

  // The names behind `offset`, at most `count`; `*next` goes on behind them.
  std::vector<std::string> List(Inode directory, uint64_t offset = 0, size_t count = SIZE_MAX,
                                uint64_t* next = nullptr) {
    std::vector<std::string> names;
    const absl::Status status = tree_.Find(directory)->List(
        offset, [&](std::string_view name, Inode, mode_t, uint64_t next_offset) {
          if (names.size() == count) return false;
          names.emplace_back(name);
          if (next != nullptr) *next = next_offset;
          return true;
        });
    EXPECT_THAT(status, IsOk());
    return names;
  }

  // As the daemon serves it: there is no kernel here.
  static absl::StatusOr<DiskHandle> OpenDisk(DeviceNode& node, std::string opener) {
    return node.OpenDisk(std::move(opener), O_RDWR, [](int) { return 0; });
  }

  const Sections sections_;
  CompletionQueue completions_{Clock::Real()};
  MemoryLimit memory_;
  Tree tree_{1,
             2,
             [] { return "{\"state\": \"well\"}\n"; },
             {.device = {.clock = Clock::Real(), .completions = completions_},
              .memory = memory_,
              .passthrough_obstacle = [] { return "it is a test"; }},
             sections_};
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_TREE_TREE_TEST_H_
