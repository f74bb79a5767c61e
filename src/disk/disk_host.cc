#include "rnullfs/disk_host.h"

#include "device/completion_queue.h"
#include "rnullfs/rcu.h"

namespace rnullfs {

DiskHost::DiskHost(uint64_t memory_limit_bytes, const Clock& clock)
    : clock_(clock),
      memory_(memory_limit_bytes),
      completions_(std::make_unique<CompletionQueue>(clock)) {}

DiskHost::~DiskHost() = default;

absl::Status DiskHost::Start() {
  absl::Status started = StartRcu();
  return started.ok() ? completions_->Start() : started;
}

Disk::Services DiskHost::services() {
  return {.device = {.clock = clock_, .completions = *completions_},
          .memory = memory_,
          .indexes = &indexes_};
}

}  // namespace rnullfs
