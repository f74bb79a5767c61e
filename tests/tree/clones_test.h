// What the tests of clones share: disks of a mount that begin as others of it.
#ifndef RNULLFS_TESTS_TREE_CLONES_TEST_H_
#define RNULLFS_TESTS_TREE_CLONES_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "tree/refused.h"
#include "tree/restore_test.h"

namespace rnullfs {

class ClonesTest : public RestoreTest {
 protected:
  using Node = std::shared_ptr<DeviceNode>;

  static absl::Status Set(DeviceNode& node, std::string_view attribute, std::string_view text,
                          const Requester& who = {}) {
    return node.StoreText(*FindAttribute(attribute), text, {.who = who});
  }
  static std::string OriginOf(DeviceNode& node) { return node.settings().origin; }
  static void Take(DeviceNode& node, std::string_view name) {
    node.With([&](Disk& disk, const Doors&) { EXPECT_THAT(disk.past().Take(name, 0), IsOk()); });
  }
  static absl::Status Drop(DeviceNode& node, std::string_view name) {
    return node.With([&](Disk& disk, const Doors&) {
      return disk.past().Remove(disk.past().Find(name)->number);
    });
  }
  static uint64_t Snapshots(DeviceNode& node) {
    return node.With([](Disk& disk, const Doors&) { return disk.past().figures().snapshots; });
  }
  // A disk that is on, with its name in it.
  Node Disk1(std::string_view name) {
    const Node node = Make(name, R"({"size": 1, "memory_backed": true, "power": true})");
    EXPECT_EQ(old_->Write(*node, 0, name), 0);
    return node;
  }
  Node Clone(std::string_view name, std::string_view origin) {
    return Make(name, absl::StrCat(R"({"origin": ")", std::string(origin), R"(", "power": true})"));
  }
  std::string Read(DeviceNode& node, uint64_t length = 1) const {
    return (new_ == nullptr ? *old_ : *new_).Read(node, 0, length);
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_TREE_CLONES_TEST_H_
