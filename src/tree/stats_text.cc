// What stats.json says.

#include <string_view>
#include <utility>

#include "config/document.h"
#include "config/warnings.h"
#include "tree/device_node.h"

namespace rnullfs {

std::string DeviceNode::StatsText() const {
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
      .AddNumber("in_flight", counters_.statistics.Snapshot().in_flight)
      .AddNumber("disk_opens", opens_.size())
      .AddNumber("passthrough_opens", passthrough_opens_);
  const uint64_t cached_pages = medium_ == nullptr ? 0 : medium_->cached_pages();
  // Each group becomes an object, in the list's order.
  std::string_view group;
  Document members;
  const auto add_group = [&] {
    if (!group.empty()) document.AddObject(group, std::exchange(members, Document()));
  };
  counters_.Walk([&](const Counters::Reading& counter) {
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
  document.AddList("warnings", Warnings(config_));
  return document.Text();
}

}  // namespace rnullfs
