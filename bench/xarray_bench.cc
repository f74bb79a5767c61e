// The XArray against the maps one would otherwise use as an index of pages.
//
// Every map goes from a page index to a pointer and is dense: pages 0 .. N-1.  "Random" visits them
// in one shuffled order that is computed beforehand and read in sequence by all maps alike; loads
// do not depend on each other, so that this is throughput, not latency.  The XArray's loads include
// their read-side section.  The peers have no reads beside a writer: "BesideWriter" puts them
// behind a shared mutex; everything else runs them bare, on one thread.
//
// Reading the output: items_per_second are operations on pages, of all threads together;
// heap_bytes_per_page is what malloc gave out for the full map, its own overhead included.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <thread>

#include "rnullfs/rcu.h"
#include "rnullfs/xarray.h"
#include "xarray_bench_maps.h"

namespace rnullfs {
namespace {

using benchmark::State;

constexpr int64_t kSmall = 1 << 16;
constexpr int64_t kMedium = 1 << 20;
constexpr int64_t kLarge = 1 << 24;
constexpr uint64_t kBatch = 4096;  // operations between two looks at the clock; divides every N

// --- Loads ---------------------------------------------------------------------------------------

// Calls load(i) for i = 0 .. N-1, again and again.
template <typename F>
void RunLoads(State& state, uint64_t start, F load) {
  const auto pages = static_cast<uint64_t>(state.range(0));
  uint64_t at = start % pages / kBatch * kBatch;
  for (auto _ : state) {
    for (uint64_t i = at; i < at + kBatch; ++i) benchmark::DoNotOptimize(load(i));
    at = (at + kBatch) % pages;
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
}

template <typename Map>
void LoadSequential(State& state) {
  const Map& map = FullMap<Map>();
  RunLoads(state, 0, [&map](uint64_t i) { return map.Load(i); });
  state.counters["heap_bytes_per_page"] =
      static_cast<double>(subject.heap_bytes) / static_cast<double>(subject.pages);
}

// As a request reads its pages: a cursor for every 64 of them.
void LoadSequentialCursor(State& state) {
  const XArray& array = FullMap<Array>().array;
  const auto pages = static_cast<uint64_t>(state.range(0));
  constexpr uint64_t kRequest = 64;
  uint64_t at = 0;
  for (auto _ : state) {
    for (uint64_t i = at; i < at + kBatch; i += kRequest) {
      XArray::Cursor cursor(array);
      for (uint64_t j = i; j < i + kRequest; ++j) benchmark::DoNotOptimize(cursor.Load(j));
    }
    at = (at + kBatch) % pages;
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
}

template <typename Map>
void LoadRandom(State& state) {
  const Map& map = FullMap<Map>();
  const uint32_t* const order = ShuffledOrder(subject.pages).data();
  RunLoads(state, 0, [&map, order](uint64_t i) { return map.Load(order[i]); });
}

// Random loads on each thread while one more replaces some ten thousand entries a second.
template <typename Map>
void LoadBesideWriter(State& state) {
  Map& map = FullMap<Map>();
  const uint32_t* const order = ShuffledOrder(subject.pages).data();
  std::jthread writer;
  if (state.thread_index() == 0) {
    writer = std::jthread([&map, order, pages = subject.pages](const std::stop_token& stop) {
      for (uint64_t i = 0; !stop.stop_requested(); i = (i + 1) % pages) {
        map.Store(order[i], Entry(order[i]));
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    });
  }
  const uint64_t start = subject.pages / 2 * static_cast<uint64_t>(state.thread_index());
  RunLoads(state, start, [&map, order](uint64_t i) { return map.Load(order[i]); });
}

template <typename Map>
void Iterate(State& state) {
  const Map& map = FullMap<Map>();
  for (auto _ : state) {
    uint64_t sum = 0;
    map.ForEach([&sum](uint64_t index, void* entry) { sum += index ^ XArray::ToValue(entry); });
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

// --- Stores and erasures -------------------------------------------------------------------------

// Times f(map) on a new map each time.
template <typename Map, typename Prepare, typename F>
void RunOnNewMap(State& state, Prepare prepare, F f) {
  subject = {};
  for (auto _ : state) {
    auto map = std::make_unique<Map>();
    prepare(*map);
    const auto start = std::chrono::steady_clock::now();
    f(*map);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(taken.count());
    map.reset();
    urcu_bp_barrier();  // what one round leaves to delete is not for the next
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

template <typename Map>
void StoreAllSequential(Map& map, uint64_t pages) {
  for (uint64_t index = 0; index < pages; ++index) map.Store(index, Entry(index));
}

template <typename Map>
void StoreSequential(State& state) {
  const auto pages = static_cast<uint64_t>(state.range(0));
  RunOnNewMap<Map>(
      state, [](Map&) {}, [pages](Map& map) { StoreAllSequential(map, pages); });
}

template <typename Map>
void StoreRandom(State& state) {
  const auto& order = ShuffledOrder(static_cast<uint64_t>(state.range(0)));
  RunOnNewMap<Map>(
      state, [](Map&) {},
      [&order](Map& map) {
        for (const uint32_t index : order) map.Store(index, Entry(index));
      });
}

template <typename Map>
void EraseRandom(State& state) {
  const auto& order = ShuffledOrder(static_cast<uint64_t>(state.range(0)));
  RunOnNewMap<Map>(
      state, [&order](Map& map) { StoreAllSequential(map, order.size()); },
      [&order](Map& map) {
        for (const uint32_t index : order) map.Erase(index);
      });
}

void EraseRange(State& state) {
  const auto pages = static_cast<uint64_t>(state.range(0));
  RunOnNewMap<Array>(
      state, [pages](Array& map) { StoreAllSequential(map, pages); },
      [pages](Array& map) { map.array.EraseRange(0, pages - 1); });
}

// --- The list ------------------------------------------------------------------------------------

#define ON_SIZES Arg(kSmall)->Arg(kMedium)->Arg(kLarge)
#define ON_FULL_MAP(function, Map) BENCHMARK(function<Map>)->Setup(Fill<Map>)->ON_SIZES
#define ON_NEW_MAP(function, Map) BENCHMARK(function<Map>)->UseManualTime()->ON_SIZES
#define BESIDE_WRITER(Map) ON_FULL_MAP(LoadBesideWriter, Map)->UseRealTime()->Threads(1)->Threads(2)
#define FOR_EVERY_MAP(register, function) \
  register(function, Array);              \
  register(function, FlatHashMap);        \
  register(function, BtreeMap);           \
  register(function, StdMap)

FOR_EVERY_MAP(ON_FULL_MAP, LoadSequential);
BENCHMARK(LoadSequentialCursor)->Setup(Fill<Array>)->ON_SIZES;
FOR_EVERY_MAP(ON_FULL_MAP, LoadRandom);
FOR_EVERY_MAP(ON_FULL_MAP, Iterate);
BESIDE_WRITER(Array);
BESIDE_WRITER(Shared<FlatHashMap>);
BESIDE_WRITER(Shared<BtreeMap>);
BESIDE_WRITER(Shared<StdMap>);
FOR_EVERY_MAP(ON_NEW_MAP, StoreSequential);
FOR_EVERY_MAP(ON_NEW_MAP, StoreRandom);
FOR_EVERY_MAP(ON_NEW_MAP, EraseRandom);
BENCHMARK(EraseRange)->UseManualTime()->ON_SIZES;

}  // namespace
}  // namespace rnullfs

BENCHMARK_MAIN();
