#include "tree/stats_text.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/warnings.h"
#include "json/document.h"

namespace rnullfs {
namespace {

constexpr char kCutAndHeld[] =
    "the power has been cut: all requests fail, until nobody has disk open any more and 1 is "
    "written to power";

}  // namespace

std::string StatsText(const Disk& disk, const Doors& doors) {
  const DeviceCounters& counters = disk.counters();
  const Medium* const medium = disk.medium();
  const uint64_t pages = medium == nullptr ? 0 : medium->stored_pages();
  const bool power = disk.config().power;
  const std::string why_daemon = doors.WhyDaemon();
  const PastFigures past = disk.past().figures();
  Document document;
  document.AddBool("powered", power)
      .AddText("datapath", !power                ? "none"
                           : !why_daemon.empty() ? "daemon"
                                                 : "passthrough")
      .AddText("datapath_why", why_daemon)
      .AddNumber("stored_pages", pages)
      .AddNumber("stored_bytes", pages * PageStore::kPageSize)
      .AddNumber("sequence", past.sequence)
      .AddNumber("sequence_oldest", past.sequence_oldest)
      .AddNumber("snapshots", past.snapshots)
      .AddNumber("past_bytes", past.stored_bytes)
      .AddNumber("memory_used", disk.memory_used())
      .AddBool("emulates_sectors", disk.device() != nullptr && disk.device()->emulates_sectors())
      .AddNumber("in_flight", counters.statistics.Snapshot().in_flight)
      .AddNumber("disk_opens", doors.opens().all())
      .AddNumber("passthrough_opens", doors.opens().passthrough());
  const uint64_t cached_pages = medium == nullptr ? 0 : medium->cached_pages();
  // Each group becomes an object, in the list's order.
  std::string_view group;
  Document members;
  const auto add_group = [&] {
    if (!group.empty()) document.AddObject(group, std::exchange(members, Document()));
  };
  counters.Walk([&](const Counters::Reading& counter) {
    const auto [of, name] = counter.row.SplitName();
    if (of.empty() || counter.row.kind == CounterKind::kValue || counter.histogram != nullptr)
      return;
    if (of != group) {
      add_group();
      group = of;
      if (group == "cache") members.AddNumber("pages", cached_pages);
    }
    members.AddNumber(name, counter.value);
  });
  add_group();
  document.AddList("warnings", disk.is_cut() ? std::vector<std::string>{kCutAndHeld}
                                             : Warnings(disk.config(), disk.settings().faults));
  return document.Text();
}

}  // namespace rnullfs
