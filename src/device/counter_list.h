// The counters of a device.
#ifndef RNULLFS_DEVICE_COUNTER_LIST_H_
#define RNULLFS_DEVICE_COUNTER_LIST_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "rnullfs/counters.h"

namespace rnullfs {

// THE list: a new counter is a line there, and the code that counts.
absl::Span<const CounterRow> CounterRows();

// The table of a mount that has none: what its devices had when tables came to be.
std::vector<std::string> FirstCounterTable();

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_COUNTER_LIST_H_
