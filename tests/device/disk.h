// What the device's tests share: a disk with all it needs, and requests that can be waited for.
#ifndef RNULLFS_TESTS_DEVICE_DISK_H_
#define RNULLFS_TESTS_DEVICE_DISK_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "device/completion_queue.h"
#include "device/fault_rule_table.h"
#include "rnullfs/clock.h"
#include "rnullfs/device.h"
#include "rnullfs/rule_attributes.h"

namespace rnullfs {

inline constexpr uint64_t kMiB = uint64_t{1} << 20;

struct Outcome {
  int error = 0;
  uint64_t bytes = 0;
  std::string data;
  std::thread::id thread;
  int64_t answered_nsec = 0;
};

// One command's answer.  To be answered twice is a failure.
class Request {
 public:
  Completion completion() { return {&Request::Complete, this}; }

  Outcome Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    answered_.wait(lock, [this] { return outcome_.has_value(); });
    return *outcome_;
  }
  bool IsAnswered() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return outcome_.has_value();
  }

 private:
  static void Complete(void* tag, const Answer& answer) {
    const int64_t now_nsec = Clock::Real().NowNsec();
    auto* const request = static_cast<Request*>(tag);
    std::string data;
    for (const iovec& block : answer.data) {
      data.append(static_cast<const char*>(block.iov_base), block.iov_len);
    }
    const std::lock_guard<std::mutex> lock(request->mutex_);
    EXPECT_FALSE(request->outcome_.has_value());
    request->outcome_ = {answer.error, answer.bytes, data, std::this_thread::get_id(), now_nsec};
    // Under the lock: the waiter may destroy the request as soon as it gets it.
    request->answered_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable answered_;
  std::optional<Outcome> outcome_;
};

// A disk, powered on.  Its blocks are of 512 bytes, if `config` does not say otherwise.
class TestDisk {
 public:
  explicit TestDisk(const DeviceConfig& config) { PowerOn(config); }

  void PowerOn(const DeviceConfig& config) {
    device_.reset();
    medium_.DropCache();
    auto device = Device::PowerOn(config, medium_, counters_, {Clock::Real(), completions_});
    ASSERT_TRUE(device.ok()) << device.status();
    device_ = *std::move(device);
  }

  Outcome Do(const Command& command) {
    Request request;
    device_->Submit(command, request.completion());
    return request.Wait();
  }
  Outcome Write(uint64_t offset, std::string_view data) {
    return Do({Op::kWrite, offset, data.size(), data.data()});
  }
  Outcome Read(uint64_t offset, uint64_t length) { return Do({Op::kRead, offset, length}); }

  DeviceCounters& counters() { return counters_; }
  Device& device() { return *device_; }
  const Medium& medium() const { return medium_; }
  Medium& mutable_medium() { return medium_; }
  CompletionQueue& completions() { return completions_; }

  // Lines of rules, for those that there are.
  void SetRules(std::string_view lines) {
    FaultRules rules;
    while (!lines.empty()) {
      const std::string_view line = lines.substr(0, lines.find('\n'));
      lines.remove_prefix(std::min(line.size() + 1, lines.size()));
      ASSERT_TRUE(PutRuleLine("faults", line, rules).ok()) << line;
    }
    ASSERT_TRUE(this->rules().Prepare(rules).ok());
    for (const auto& gate : this->rules().Commit()) completions_.Release(*gate);
  }
  FaultRuleTable& rules() const { return medium_.fault_rules(); }
  StatisticsSnapshot statistics() const { return counters_.statistics.Snapshot(); }

 private:
  CompletionQueue completions_{Clock::Real()};
  MemoryLimit memory_;
  DeviceCounters counters_;
  Medium medium_{
      {.name = "test", .cache_name = "test cache", .memory = memory_, .counters = counters_}};
  std::unique_ptr<Device> device_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_DEVICE_DISK_H_
