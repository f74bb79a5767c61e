// What the fuzz targets share.  A target is one file that defines LLVMFuzzerTestOneInput(); linked
// with libFuzzer (-Dfuzz=true) it looks for inputs, linked with replay_main.cc it replays them.
//
// A property that does not hold ends the process: that is how libFuzzer learns of it.
#ifndef RNULLFS_TESTS_FUZZ_FUZZ_TARGET_H_
#define RNULLFS_TESTS_FUZZ_FUZZ_TARGET_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "rnullfs/error.h"
#include "rnullfs/settings.h"

// libFuzzer's entry; returns 0.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace rnullfs {

inline std::string_view AsText(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Ends the process unless `holds`; `property` says what should have been.
inline void Require(bool holds, std::string_view property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(property.size()), property.data());
  std::abort();
}

// A refusal has that errno and one line of text that a terminal shows as it is.
inline void RequireRefusal(const absl::Status& status, int errno_value) {
  const std::string sentence(status.message());
  Require(ErrnoOf(status) == errno_value, "the errno of a refusal: " + sentence);
  Require(!sentence.empty(), "a refusal says why");
  Require(
      std::all_of(sentence.begin(), sentence.end(), [](char c) { return c >= ' ' && c <= '~'; }),
      "a refusal is one line of printable text: " + sentence);
}

// A configuration in which every value differs from the default, but for badblocks, whose text says
// what to change.
inline Settings OtherConfig() {
  Settings settings;
  DeviceConfig& config = settings.config;
  config.power = true;
  config.blocksize = 512;
  config.size = 7;
  config.rotational = true;
  config.irqmode = IrqMode::kTimer;
  config.completion_nsec = 1;
  config.memory_backed = true;
  config.datapath = DataPath::kDaemon;
  config.use_per_node_hctx = config.discard = config.blocking = config.shared_tags = true;
  config.shared_tag_bitmap = config.no_sched = config.virt_boundary = true;
  config.poll_queues = 3;
  config.home_node = 5;
  config.hw_queue_depth = 6;
  config.max_sectors = 64;
  config.badblocks_once = config.badblocks_partial_io = true;
  config.cache_size = 8;
  config.fua = false;
  config.mbps = {.read = 9, .write = 10};
  config.zoned = true;
  config.queue_mode = 1;
  config.timeout_inject = config.requeue_inject =
      config.init_hctx_fault_inject = {.probability = 11, .interval = 12, .verbose = 0};
  DeviceState& state = settings.state;
  state.timeout_inject = state.requeue_inject =
      state.init_hctx_fault_inject = {.times = -1, .space = 13};
  config.iops = {.both = 14};
  config.seed = 15;
  config.io_timeout = 16;
  return settings;
}

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_FUZZ_FUZZ_TARGET_H_
