// The counters as a later version of the program may have them: one more, ahead of the others, of
// how often such a version has made or restored the device.  Linked into rnullfs-later in the place
// of src/device/counter_list.cc.

#include <vector>

#include "device/counter_list.h"

#define CounterRows CounterRowsOfNow
#include "device/counter_list.cc"  // NOLINT(bugprone-suspicious-include): with another name
#undef CounterRows

#include "rnullfs/device_counters.h"

namespace rnullfs {

absl::Span<const CounterRow> CounterRows() {
  static const std::vector<CounterRow> rows = [] {
    std::vector<CounterRow> all = {
        {"later.lives", CounterKind::kCounter, true, "lives", "in a later version"}};
    for (const CounterRow& row : CounterRowsOfNow()) all.push_back(row);
    return all;
  }();
  return rows;
}

}  // namespace rnullfs

// By the linker (--wrap), in the place of Statistics' constructor: what is called when a device
// gets its counters.
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier)
void __real__ZN7rnullfs10StatisticsC1ERNS_8CountersE(rnullfs::Statistics* self,
                                                     rnullfs::Counters& counters);
void __wrap__ZN7rnullfs10StatisticsC1ERNS_8CountersE(rnullfs::Statistics* self,
                                                     rnullfs::Counters& counters) {
  __real__ZN7rnullfs10StatisticsC1ERNS_8CountersE(self, counters);
  counters.Sharded("later.lives")[rnullfs::ShardedCell::MyShard()].fetch_add(1);
}
// NOLINTEND(bugprone-reserved-identifier)
}
