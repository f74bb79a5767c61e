#include "tree/takeover.h"

#include <cerrno>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/visible.h"
#include "disk/file_origin.h"
#include "rnullfs/error.h"
#include "tree/disk_origins.h"
#include "tree/memfds_left.h"

namespace rnullfs {
namespace {

class Takeover {
 public:
  Takeover(const NodeServices& services, std::vector<UniqueFd> memfds)
      : services_(services),
        files_(std::move(memfds)),
        memfds_(MemfdsOf(services.survival->devices(), files_)) {}

  absl::StatusOr<std::vector<std::shared_ptr<DeviceNode>>> Restore() {
    for (const DeviceRecord& record : services_.survival->devices()) records_[record.id] = &record;
    for (const auto& [id, record] : records_) {
      if (absl::Status restored = RestoreWithOrigin(*record); !restored.ok()) return restored;
    }
    std::vector<std::shared_ptr<DeviceNode>> devices;
    for (const auto& [id, node] : nodes_) {
      node->With([](Disk& disk, const Doors& /*doors*/) { disk.past().RemoveUnusedHidden(); });
      devices.push_back(node);
    }
    DropMemfds(memfds_, files_, services_.survival->keeper());
    return devices;
  }

 private:
  // A disk, and before it those that it shares with, one by the other: there may be many.
  absl::Status RestoreWithOrigin(const DeviceRecord& record) {
    std::vector<const DeviceRecord*> row = {&record};
    for (uint64_t id = record.origin.disk; id != 0; id = row.back()->origin.disk) {
      const auto found = records_.find(id);
      if (found == records_.end() || row.size() > records_.size()) break;
      row.push_back(found->second);
    }
    for (; !row.empty(); row.pop_back()) {
      if (nodes_.contains(row.back()->id)) continue;
      if (absl::Status restored = RestoreOne(*row.back()); !restored.ok()) return restored;
    }
    return absl::OkStatus();
  }

  absl::Status RestoreOne(const DeviceRecord& record) {
    const auto node = std::make_shared<DeviceNode>(record.id, record.name, record.created,
                                                   services_, record.request);
    absl::Status restored = node->Restore(record, std::move(memfds_[record.id]), OriginOf(record));
    if (restored.ok()) nodes_[record.id] = node;
    return restored;
  }

  // None when it is missing: the disk knows whether it needs it.
  std::optional<Origin> OriginOf(const DeviceRecord& record) {
    const OriginKey& key = record.origin;
    if (const auto disk = nodes_.find(key.disk); disk != nodes_.end()) {
      absl::StatusOr<Origin> found = FoundDiskOrigin(disk->second, key, record.name);
      return found.ok() ? std::optional<Origin>(*std::move(found)) : std::nullopt;
    }
    UniqueFd file = key.any() && key.disk == 0 ? FileOf(key, files_) : UniqueFd();
    if (!file.valid()) return std::nullopt;
    MemfdKeeper& keeper = services_.survival->keeper();
    Origin origin = FoundFileOrigin(record.config.origin, key, std::move(file), keeper);
    UniqueFd log = record.log.any() ? FileOf(record.log, files_) : UniqueFd();
    if (log.valid()) AddFoundLog(record.log, std::move(log), keeper, origin);
    return origin;
  }

  const NodeServices& services_;
  std::vector<UniqueFd> files_;
  std::map<uint64_t, Disk::Memfds> memfds_;
  std::map<uint64_t, const DeviceRecord*> records_;
  std::map<uint64_t, std::shared_ptr<DeviceNode>> nodes_;
};

}  // namespace

absl::StatusOr<std::vector<std::shared_ptr<DeviceNode>>> RestoreDevices(
    const NodeServices& services, std::vector<UniqueFd> memfds) {
  return Takeover(services, std::move(memfds)).Restore();
}

}  // namespace rnullfs
