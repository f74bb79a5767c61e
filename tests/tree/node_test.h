// One device's directory, and what its tests do with it.
#ifndef RNULLFS_TESTS_TREE_NODE_TEST_H_
#define RNULLFS_TESTS_TREE_NODE_TEST_H_

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "device/completion_queue.h"
#include "rnullfs/attributes.h"
#include "rnullfs/clock.h"
#include "tree/device_node.h"

namespace rnullfs {

class NodeTest : public testing::Test {
 protected:
  // What `echo text > name` does.
  absl::Status Set(std::string_view name, std::string_view text) {
    return node_->StoreText(*FindAttribute(name), text);
  }
  // What `cat name` shows.
  std::string Get(std::string_view name) const {
    return ShowAttribute(*FindAttribute(name), node_->settings());
  }

  // Through the controller; the disk answers inline.
  int WriteDisk(uint64_t offset, std::string_view data) {
    return Submit({.op = Op::kWrite, .offset = offset, .length = data.size(), .data = data.data()})
        .error;
  }
  std::string ReadDisk(uint64_t offset, uint64_t length) {
    return Submit({.op = Op::kRead, .offset = offset, .length = length}).data;
  }

  // As for a program that opens the file.
  absl::StatusOr<DiskHandle> OpenDisk(std::string opener = "losetup (pid 7)", int flags = O_RDWR,
                                      IfOpen if_open = IfOpen::kRefuse) {
    const auto open_backing = [this](int memfd) {
      backing_fd_ = memfd;
      errno = EPERM;
      return next_backing_id_;
    };
    return node_->OpenDisk(std::move(opener), flags, open_backing, 0, if_open);
  }

  CompletionQueue completions_{Clock::Real()};
  MemoryLimit memory_{uint64_t{64} << 20};
  std::string obstacle_ = "it is a test";
  int next_backing_id_ = 1;  // what the kernel would say; 0: EPERM
  int backing_fd_ = -1;      // what it was asked to serve
  const std::shared_ptr<DeviceNode> node_ = std::make_shared<DeviceNode>(
      7, "fast", Ownership{.mode = 0750, .uid = 10, .gid = 20},
      NodeServices{.device = {.clock = Clock::Real(), .completions = completions_},
                   .memory = memory_,
                   .passthrough_obstacle = [this] { return obstacle_; }});

 private:
  struct Result {
    int error;
    std::string data;
  };

  Result Submit(const Command& command) {
    Result result = {-1, {}};
    const auto keep = [](void* tag, const Answer& answer) {
      auto& result = *static_cast<Result*>(tag);
      result.error = answer.error;
      for (const iovec& part : answer.data) {
        result.data.append(static_cast<const char*>(part.iov_base), part.iov_len);
      }
    };
    node_->device()->Submit(command, {.complete = keep, .tag = &result});
    return result;
  }
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_TREE_NODE_TEST_H_
