// The maps that xarray_bench compares, behind one face, and what each is measured on.
#ifndef RNULLFS_BENCH_XARRAY_BENCH_MAPS_H_
#define RNULLFS_BENCH_XARRAY_BENCH_MAPS_H_

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <shared_mutex>
#include <typeindex>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "rnullfs/xarray.h"

namespace rnullfs {

inline void* Entry(uint64_t index) { return XArray::MakeValue(index); }

class Array {
 public:
  void* Load(uint64_t index) const { return array.Load(index); }
  void Store(uint64_t index, void* entry) { array.Store(index, entry); }
  void Erase(uint64_t index) { array.Erase(index); }
  template <typename F>
  void ForEach(F&& f) const {
    array.ForEach(0, UINT64_MAX, f);
  }

  XArray array;
};

template <typename Map>
class Peer {
 public:
  void* Load(uint64_t index) const {
    const auto found = map_.find(index);
    return found == map_.end() ? nullptr : found->second;
  }
  void Store(uint64_t index, void* entry) { map_.insert_or_assign(index, entry); }
  void Erase(uint64_t index) { map_.erase(index); }
  template <typename F>
  void ForEach(F&& f) const {
    for (const auto& [index, entry] : map_) f(index, entry);
  }

 private:
  Map map_;
};

using FlatHashMap = Peer<absl::flat_hash_map<uint64_t, void*>>;
using BtreeMap = Peer<absl::btree_map<uint64_t, void*>>;
using StdMap = Peer<std::map<uint64_t, void*>>;

template <typename Map>
class Shared {
 public:
  void* Load(uint64_t index) const {
    const std::shared_lock lock(mutex_);
    return map_.Load(index);
  }
  void Store(uint64_t index, void* entry) {
    const std::unique_lock lock(mutex_);
    map_.Store(index, entry);
  }

 private:
  mutable std::shared_mutex mutex_;
  Map map_;
};

// 0 .. pages - 1 in an order that is random, and the same for every map.
inline const std::vector<uint32_t>& ShuffledOrder(uint64_t pages) {
  static std::vector<uint32_t> order;
  if (order.size() != pages) {
    order.resize(pages);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
  }
  return order;
}

inline uint64_t HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// The full map under measurement.  It is kept while benchmarks ask for the same one, because the
// library runs each several times to find out how often to repeat it.
struct Subject {
  std::type_index type = typeid(void);
  uint64_t pages = 0;
  uint64_t heap_bytes = 0;
  std::shared_ptr<void> map;
};
inline Subject subject;

template <typename Map>
void Fill(const benchmark::State& state) {
  const auto pages = static_cast<uint64_t>(state.range(0));
  if (subject.type == typeid(Map) && subject.pages == pages) return;
  ShuffledOrder(pages);  // not to be counted as the map's
  subject = {};
  const uint64_t before = HeapBytes();
  auto map = std::make_shared<Map>();
  for (uint64_t index = 0; index < pages; ++index) map->Store(index, Entry(index));
  subject = {typeid(Map), pages, HeapBytes() - before, map};
}

template <typename Map>
Map& FullMap() {
  return *static_cast<Map*>(subject.map.get());
}

}  // namespace rnullfs

#endif  // RNULLFS_BENCH_XARRAY_BENCH_MAPS_H_
