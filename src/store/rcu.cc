#include "rnullfs/rcu.h"

#include <thread>

#include "absl/status/statusor.h"
#include "base/threads.h"

namespace rnullfs {

absl::Status StartRcu() {
  // The library aborts where there is no thread: one of ours goes ahead.
  absl::StatusOr<std::thread> possible = StartThread([] {});
  if (!possible.ok()) return possible.status();
  possible->join();
  urcu_bp_get_default_call_rcu_data();
  return absl::OkStatus();
}

}  // namespace rnullfs
