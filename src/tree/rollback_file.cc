#include "tree/rollback_file.h"

#include <cerrno>
#include <string>
#include <string_view>

#include "base/kill_point.h"
#include "base/parse.h"
#include "damage/damage.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

// Takes one write(2) as one name, whatever its offset, as an attribute's file does.
class RollbackHandle final : public FileHandle {
 public:
  explicit RollbackHandle(std::shared_ptr<DeviceNode> node) : node_(std::move(node)) {}

  absl::StatusOr<std::string> Read(uint64_t /*offset*/, uint64_t /*length*/) override {
    return std::string();
  }
  absl::StatusOr<uint64_t> Write(uint64_t /*offset*/, std::string_view data,
                                 const Writer& writer) override {
    absl::Status done = RollBack(*node_, data, writer);
    if (!done.ok()) return done;
    return data.size();
  }
  absl::Status Truncate(uint64_t /*length*/) override { return absl::OkStatus(); }

 private:
  const std::shared_ptr<DeviceNode> node_;
};

}  // namespace

absl::Status RollBack(DeviceNode& node, std::string_view text, const Writer& writer) {
  text = UpToNul(text);
  if (text.ends_with('\n')) text.remove_suffix(1);
  return node.Apply(writer, [&](Disk& disk, const Doors& doors, Owners& owners) {
    // Somebody may have opened the disk since it was done, if who did it died before the answer.
    if (disk.past().RolledBackBy(writer.request)) {
      disk.medium()->damage().HealForGood();  // it may have died before that
      return absl::OkStatus();
    }
    if (doors.InUse()) {
      return writer.if_open == IfOpen::kAgain ? Error(EAGAIN, "disk is open")
                                              : doors.Busy("rollback: cannot go back");
    }
    absl::Status done = disk.past().RollBack(text, writer.request);
    if (done.ok()) owners.DiskModified();
    KillPoint("rolled-back");
    return done;
  });
}

absl::StatusOr<std::unique_ptr<FileHandle>> RollbackFile::MakeHandle(int /*flags*/,
                                                                     uint64_t /*handle*/,
                                                                     std::string_view /*opener*/) {
  return std::make_unique<RollbackHandle>(node_);
}

}  // namespace rnullfs
