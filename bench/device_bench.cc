// The device by itself, without FUSE: requests per second through Submit().  Pages are stored
// beforehand, so that the figures are those of a disk in use.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "device/completion_queue.h"
#include "device/fault_rule_table.h"
#include "rnullfs/clock.h"
#include "rnullfs/device.h"
#include "rnullfs/rule_attributes.h"

namespace rnullfs {
namespace {

constexpr uint64_t kDiskMib = 256;
constexpr uint64_t kDiskBytes = kDiskMib << 20;

// What a front end does at least with what it is given.
void TouchData(void* /*tag*/, const Answer& answer) {
  for (const iovec& block : answer.data) {
    benchmark::DoNotOptimize(*static_cast<const char*>(block.iov_base));
  }
}

// A powered disk whose pages are all stored, and what it needs.
struct Disk {
  Disk() {
    const std::string data(1 << 20, 'x');
    for (uint64_t offset = 0; offset < kDiskBytes; offset += data.size()) {
      device->Submit({Op::kWrite, offset, data.size(), data.data()}, {TouchData});
    }
  }

  CompletionQueue completions{Clock::Real()};
  MemoryLimit memory;
  DeviceCounters counters;
  Medium medium{
      {.name = "bench", .cache_name = "bench cache", .memory = memory, .counters = counters}};
  std::unique_ptr<Device> device = *Device::PowerOn({.size = kDiskMib, .memory_backed = true},
                                                    medium, counters, {Clock::Real(), completions});
};

Disk& SharedDisk() {
  static Disk disk;
  return disk;
}

// Offsets in random order, computed beforehand: to draw one takes as long as to look up a page.
std::vector<uint64_t> RandomOffsets(uint64_t length, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint64_t> offsets(1 << 14);
  for (uint64_t& offset : offsets) offset = random() % (kDiskBytes / length) * length;
  return offsets;
}

void BM_Random(benchmark::State& state, Op op) {
  Disk& disk = SharedDisk();
  const uint64_t length = state.range(0);
  const std::vector<uint64_t> offsets = RandomOffsets(length, state.thread_index());
  const std::string data(length, 'y');
  size_t i = 0;
  for (auto _ : state) {
    disk.device->Submit({op, offsets[i++ % offsets.size()], length, data.data()}, {TouchData});
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * length));
}

// Beside so many fault rules, which match nothing.
void BM_Rules(benchmark::State& state, Op op, bool on) {
  FaultRuleTable& table = SharedDisk().medium.fault_rules();
  FaultRules rules;
  for (int64_t i = 0; i < state.range(1); ++i) {
    const uint64_t first = (kDiskBytes >> 9) + static_cast<uint64_t>(i) * 8;
    static_cast<void>(
        PutRule({.name = std::to_string(i), .enabled = on, .sectors = {{first, first}}}, rules));
  }
  if (table.Prepare(rules).ok()) table.Commit();
  BM_Random(state, op);
  if (table.Prepare({}).ok()) table.Commit();
}

BENCHMARK_CAPTURE(BM_Rules, ReadOff, Op::kRead, false)->Args({4096, 0})->Args({4096, 100});
BENCHMARK_CAPTURE(BM_Rules, ReadOn, Op::kRead, true)->Args({4096, 100});
BENCHMARK_CAPTURE(BM_Rules, WriteOff, Op::kWrite, false)->Args({4096, 0})->Args({4096, 100});
BENCHMARK_CAPTURE(BM_Rules, WriteOn, Op::kWrite, true)->Args({4096, 100});
BENCHMARK_CAPTURE(BM_Random, Read, Op::kRead)->Arg(4096)->Arg(1 << 20)->ThreadRange(1, 2);
BENCHMARK_CAPTURE(BM_Random, Write, Op::kWrite)->Arg(4096)->Arg(1 << 20)->ThreadRange(1, 2);

}  // namespace
}  // namespace rnullfs

BENCHMARK_MAIN();
