// A disk's past by itself, without device and FUSE: what writes cost that have to keep what was
// there, reads of a moment, rollback, and memory of the index.  Every page is stored beforehand.
#include <benchmark/benchmark.h>
#include <fcntl.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "past/past.h"
#include "rnullfs/page_store.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPage = PageStore::kPageSize;
constexpr uint64_t kPages = uint64_t{64} << 10;  // 256 MiB
constexpr uint64_t kNever = UINT64_MAX >> 1;     // a history that is never full

struct PastDisk {
  PastDisk() {
    if (!store->Resize(kPages * kPage).ok()) std::abort();
    const std::string data(1 << 20, 'x');
    for (uint64_t at = 0; at < kPages * kPage; at += data.size()) {
      store->Write(at, data.size(), data.data());
    }
    past = *Past::Create("bench past", memory, MemfdKeeper::None(), *store);
  }

  MemoryLimit memory;
  std::unique_ptr<PageStore> store = *PageStore::Create("bench", memory);
  std::unique_ptr<Past> past;
};

// Every page once, in random order.
std::vector<uint64_t> RandomOrder() {
  std::vector<uint64_t> pages(kPages);
  std::iota(pages.begin(), pages.end(), 0);
  std::shuffle(pages.begin(), pages.end(), std::mt19937_64(1));
  return pages;
}

void Overwrite(benchmark::State& state, Store& store) {
  const std::vector<uint64_t> order = RandomOrder();
  const std::string data(kPage, 'y');
  size_t i = 0;
  for (auto _ : state) store.Write(order[i++ % kPages] * kPage, kPage, data.data());
}

void BM_WriteWithoutPast(benchmark::State& state) {
  PastDisk disk;
  Overwrite(state, *disk.store);
}

void BM_WriteWithHistory(benchmark::State& state, uint64_t bytes) {
  PastDisk disk;
  disk.past->SetHistory(bytes);
  Overwrite(state, *disk.past);
}

void BM_WriteSecondAfterSnapshot(benchmark::State& state) {
  PastDisk disk;
  disk.past->Hold();
  const std::string data(kPage, 'y');
  for (uint64_t page = 0; page < kPages; ++page) disk.past->Write(page * kPage, kPage, data.data());
  Overwrite(state, *disk.past);
}

// Of each page; when all have been written, another snapshot takes the place of the last one.
void BM_WriteFirstAfterSnapshot(benchmark::State& state) {
  PastDisk disk;
  const std::vector<uint64_t> order = RandomOrder();
  const std::string data(kPage, 'y');
  uint64_t moment = disk.past->Hold();
  size_t i = 0;
  for (auto _ : state) {
    if (i == kPages) {
      state.PauseTiming();
      disk.past->Release(moment);
      moment = disk.past->Hold();
      i = 0;
      state.ResumeTiming();
    }
    disk.past->Write(order[i++] * kPage, kPage, data.data());
  }
}

BENCHMARK(BM_WriteWithoutPast);
BENCHMARK_CAPTURE(BM_WriteWithHistory, None, 0);
BENCHMARK_CAPTURE(BM_WriteWithHistory, Full, kPages* kPage / 4);
BENCHMARK_CAPTURE(BM_WriteWithHistory, Growing, kNever)->Iterations(4 * kPages);
BENCHMARK(BM_WriteSecondAfterSnapshot);
BENCHMARK(BM_WriteFirstAfterSnapshot);

void BM_Snapshot(benchmark::State& state) {
  PastDisk disk;
  for (auto _ : state) disk.past->Release(disk.past->Hold());
}
BENCHMARK(BM_Snapshot);

// Back over so many changed pages.
void BM_RollBack(benchmark::State& state) {
  PastDisk disk;
  const std::vector<uint64_t> order = RandomOrder();
  const std::string data(kPage, 'y');
  const uint64_t moment = disk.past->Hold();
  for (auto _ : state) {
    state.PauseTiming();
    for (int64_t i = 0; i < state.range(0); ++i) {
      disk.past->Write(order[i] * kPage, kPage, data.data());
    }
    state.ResumeTiming();
    disk.past->RollBack(moment);
  }
}
BENCHMARK(BM_RollBack)->Arg(1000)->Arg(10'000)->Unit(benchmark::kMicrosecond);

// Pages of a moment of which so many hundredths have changed since; 0: as the disk reads.
void BM_ReadMoment(benchmark::State& state) {
  PastDisk disk;
  const std::vector<uint64_t> order = RandomOrder();
  const std::string data(kPage, 'y');
  const std::unique_ptr<View> view =
      disk.past->ViewAt(disk.past->Hold(), kPages * kPage, /*held=*/true);
  for (uint64_t i = 0; i < kPages * state.range(0) / 100; ++i) {
    disk.past->Write(order[i] * kPage, kPage, data.data());
  }
  size_t i = 0;
  for (auto _ : state) {
    view->Read(order[i++ % kPages] * kPage, kPage, [](absl::Span<const iovec> data) {
      benchmark::DoNotOptimize(*static_cast<const char*>(data[0].iov_base));
    });
  }
}
BENCHMARK(BM_ReadMoment)->Arg(0)->Arg(50)->Arg(100);

void BM_ReadDisk(benchmark::State& state) {
  PastDisk disk;
  const std::vector<uint64_t> order = RandomOrder();
  size_t i = 0;
  for (auto _ : state) {
    disk.past->Read(order[i++ % kPages] * kPage, kPage, [](absl::Span<const iovec> data) {
      benchmark::DoNotOptimize(*static_cast<const char*>(data[0].iov_base));
    });
  }
}
BENCHMARK(BM_ReadDisk);

// Bytes of index for each version, where each page has so many.
void BM_Index(benchmark::State& state) {
  for (auto _ : state) {
    PastDisk disk;
    disk.past->SetHistory(kNever);
    const std::string data(kPage, 'y');
    for (int64_t pass = 0; pass < state.range(0); ++pass) {
      for (uint64_t page = 0; page < kPages; ++page) {
        disk.past->Write(page * kPage, kPage, data.data());
      }
    }
    state.counters["bytes"] = static_cast<double>(disk.past->index_bytes()) /
                              static_cast<double>(kPages * state.range(0));
  }
}
BENCHMARK(BM_Index)->Arg(1)->Arg(2)->Arg(16)->Iterations(1)->Unit(benchmark::kMillisecond);

// What a process takes over: so many versions of each of 65,536 pages.
void BM_Adopt(benchmark::State& state) {
  PastDisk disk;
  disk.past->SetHistory(kNever);
  const std::vector<uint64_t> order = RandomOrder();
  const std::string data(kPage, 'y');
  for (int64_t pass = 0; pass < state.range(0); ++pass) {
    for (const uint64_t page : order) disk.past->Write(page * kPage, kPage, data.data());
  }
  for (auto _ : state) {
    UniqueFd file(fcntl(disk.past->file().fd(), F_DUPFD_CLOEXEC, 0));
    benchmark::DoNotOptimize(
        Past::Adopt(disk.memory, MemfdKeeper::None(), std::move(file), kNever, *disk.store));
  }
}
BENCHMARK(BM_Adopt)->Arg(1)->Arg(4)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace rnullfs

BENCHMARK_MAIN();
