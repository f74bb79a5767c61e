#include "tree/stats_text.h"

#include <utility>

#include "config/document.h"
#include "config/warnings.h"

namespace rnullfs {

std::string StatsText(const Disk& disk, const Doors& doors) {
  const DeviceCounters& counters = disk.counters();
  const StatisticsSnapshot counts = counters.statistics.Snapshot();
  const Medium* const medium = disk.medium();
  const uint64_t pages = medium == nullptr ? 0 : medium->stored_pages();
  const bool power = disk.config().power;
  const std::string why_daemon = doors.WhyDaemon();
  Document document;
  document.AddBool("powered", power)
      .AddText("datapath", !power                ? "none"
                           : !why_daemon.empty() ? "daemon"
                                                 : "passthrough")
      .AddText("datapath_why", why_daemon)
      .AddNumber("stored_pages", pages)
      .AddNumber("stored_bytes", pages * PageStore::kPageSize)
      .AddBool("emulates_sectors", disk.device() != nullptr && disk.device()->emulates_sectors())
      .AddNumber("in_flight", counts.in_flight)
      .AddNumber("disk_opens", doors.opens().all())
      .AddNumber("passthrough_opens", doors.opens().passthrough());
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
  cache.AddNumber("pages", medium == nullptr ? 0 : medium->cached_pages())
      .AddNumber("written_back", counters.cache.written_back.load())
      .AddNumber("dropped", counters.cache.dropped.load());
  document.AddObject("cache", cache);
  Document faults;
  faults.AddNumber("seed", counters.random.seed.load())
      .AddNumber("timeouts", counters.timeout.failed.load())
      .AddNumber("requeues", counters.requeue.failed.load())
      .AddNumber("init_hctx", counters.init_hctx.failed.load());
  document.AddObject("faults", faults);
  document.AddList("warnings", Warnings(disk.config()));
  return document.Text();
}

}  // namespace rnullfs
