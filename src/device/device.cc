#include "rnullfs/device.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "device/completion_queue.h"
#include "device/fault_rule_table.h"
#include "device/stages.h"
#include "rnullfs/error.h"
#include "rnullfs/rcu.h"

namespace rnullfs {
namespace {

constexpr uint32_t kSectorBytes = 512;
constexpr uint32_t kPageSectors = PageStore::kPageSize / kSectorBytes;

// What no medium could be made to fit.
absl::Status CheckConfig(const DeviceConfig& config) {
  if (config.zoned) {
    return Error(EINVAL,
                 "zoned: a zoned disk cannot be had through FUSE; write 0 to zoned, or take the "
                 "kernel's null_blk");
  }
  if (config.max_sectors > 0 && config.max_sectors < kPageSectors) {
    return Error(EINVAL, absl::StrCat("max_sectors: ", config.max_sectors,
                                      " is less than a page; write 0 for no limit, or ",
                                      kPageSectors, " or more"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Device>> Device::PowerOn(const DeviceConfig& config, Medium& medium,
                                                        DeviceCounters& counters,
                                                        DeviceServices services,
                                                        Complain complain) {
  if (absl::Status possible = CheckConfig(config); !possible.ok()) return possible;
  Faults faults(config, counters);
  faults.Start(config.seed, services.clock);
  for (uint64_t i = 0; i < uint64_t{config.submit_queues}; ++i) {
    if (!faults.QueueFails()) continue;
    return Error(EFAULT, absl::StrCat("init_hctx_fault_inject: queue ", i,
                                      " could not be set up, as its probability has it"));
  }
  if (absl::Status prepared = medium.Prepare(config); !prepared.ok()) return prepared;
  medium.fault_rules().BeginSeries();
  return Resume(config, medium, counters, services, std::move(complain));
}

std::unique_ptr<Device> Device::Resume(const DeviceConfig& config, Medium& medium,
                                       DeviceCounters& counters, DeviceServices services,
                                       Complain complain) {
  return std::unique_ptr<Device>(
      new Device(config, medium, counters, services, std::move(complain)));
}

Device::Device(const DeviceConfig& config, Medium& medium, DeviceCounters& counters,
               DeviceServices services, Complain complain)
    : config_(config),
      medium_(medium),
      counters_(counters),
      services_(services),
      stages_(std::make_unique<Stages>(config_, medium, counters, std::move(complain),
                                       services.blackout)) {}

Device::~Device() { assert(counters_.statistics.Snapshot().in_flight == 0); }

void Device::SetLive(const DeviceConfig& config) {
  stages_->Set(config, services_.clock.NowNsec());
}

void Device::RestartFaults(const FaultPoint& point, const FaultAttr& written) {
  stages_->faults.Restart(point, written);
}

void Device::Cut() {
  stages_->supply.Cut();
  services_.completions.Fail(stages_->waiting, EIO);
  RcuSynchronize();  // what had begun to change something
}

bool Device::has_power() const { return !stages_->supply.gone(); }
uint64_t Device::size_bytes() const { return stages_->live.size_bytes(); }
bool Device::discards() const { return TakesDiscards(config_); }
bool Device::IsWhole(const Command& command) const { return rnullfs::IsWhole(config_, command); }
bool Device::emulates_sectors() const { return stages_->refusals.emulates_sectors(); }
void Device::ForgetComplaint() { stages_->refusals.Forget(); }

// What is there is larger than the disk while that grows.
uint64_t Device::NextData(uint64_t offset) const {
  return std::min(stages_->backing.view().NextData(offset), size_bytes());
}
uint64_t Device::NextHole(uint64_t offset) const {
  return std::min(stages_->backing.view().NextHole(offset), size_bytes());
}

}  // namespace rnullfs
