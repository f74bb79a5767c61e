// What stats.json says.

#include <utility>

#include "config/document.h"
#include "config/warnings.h"
#include "tree/device_node.h"

namespace rnullfs {

std::string DeviceNode::StatsText() const {
  const StatisticsSnapshot counts = counters_.statistics.Snapshot();
  LockGuard lock(mutex_);
  const uint64_t pages = medium_ == nullptr ? 0 : medium_->stored_pages();
  const std::string why_daemon = WhyDaemon();
  Document document;
  document.AddBool("powered", config_.power)
      .AddText("datapath", !config_.power        ? "none"
                           : !why_daemon.empty() ? "daemon"
                                                 : "passthrough")
      .AddText("datapath_why", why_daemon)
      .AddNumber("stored_pages", pages)
      .AddNumber("stored_bytes", pages * PageStore::kPageSize)
      .AddBool("emulates_sectors", device_ != nullptr && device_->emulates_sectors())
      .AddNumber("in_flight", counts.in_flight)
      .AddNumber("disk_opens", opens_.size())
      .AddNumber("passthrough_opens", passthrough_opens_);
  constexpr std::pair<const char*, Op> kOps[] = {
      {"reads", Op::kRead},
      {"writes", Op::kWrite},
      {"flushes", Op::kFlush},
      {"discards", Op::kDiscard},
      {"write_zeroes", Op::kWriteZeroes},
      {"allocates", Op::kAllocate},
  };
  for (const auto& [name, op] : kOps) {
    Document one;
    one.AddNumber("requests", counts[op].requests)
        .AddNumber("bytes", counts[op].bytes)
        .AddNumber("errors", counts[op].errors);
    document.AddObject(name, one);
  }
  Document cache;
  cache.AddNumber("pages", medium_ == nullptr ? 0 : medium_->cached_pages())
      .AddNumber("written_back", counters_.cache.written_back.load())
      .AddNumber("dropped", counters_.cache.dropped.load());
  document.AddObject("cache", cache);
  Document faults;
  faults.AddNumber("seed", counters_.random.seed.load())
      .AddNumber("timeouts", counters_.timeout.failed.load())
      .AddNumber("requeues", counters_.requeue.failed.load())
      .AddNumber("init_hctx", counters_.init_hctx.failed.load());
  document.AddObject("faults", faults);
  document.AddList("warnings", Warnings(config_));
  return document.Text();
}

}  // namespace rnullfs
