#include "tree/disk_origins.h"

#include <algorithm>
#include <cerrno>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/open_as.h"
#include "base/visible.h"
#include "rnullfs/error.h"
#include "tree/copied_origin.h"
#include "tree/inode.h"
#include "tree/snapshots.h"

namespace rnullfs {
namespace {

// As the kernel's generic_permission() in fs/namei.c would say for the process; `may` are bits of
// the owner's three.
bool Permits(const Ownership& ownership, const Requester& who, mode_t may) {
  if (who.uid == 0) return true;
  if (who.uid == ownership.uid) return (ownership.mode & may) == may;
  const std::vector<gid_t> groups = GroupsOf(who.pid);
  const bool member = who.gid == ownership.gid ||
                      std::find(groups.begin(), groups.end(), ownership.gid) != groups.end();
  return (ownership.mode & (may >> (member ? 3 : 6))) == may >> (member ? 3 : 6);
}

// Whether he could have opened the disk himself; and, to hold a moment of it, mkdir in snapshots/.
absl::Status CheckRights(const DeviceNode& node, const Requester& who, bool hold) {
  const bool reads = Permits(node.OwnershipOf(kDirectorySlot, 0755), who, 0100) &&
                     Permits(node.OwnershipOf(kDiskSlot, kDiskMode), who, 0400);
  const uint32_t snapshots = MakePlace(kSnapshotsView, 0);
  const bool holds = !hold || Permits(node.OwnershipOf(snapshots, 0755), who, 0300);
  if (reads && holds) return absl::OkStatus();
  return Error(
      EACCES, absl::StrCat("origin: you may not ", reads ? "take a snapshot of " : "read the disk ",
                           Visible(node.name())));
}

// A hidden snapshot goes with its user.
void Forget(DeviceNode& node, uint64_t serial) {
  node.With([serial](Disk& disk, const Doors& /*doors*/) { disk.past().RemoveHidden(serial); });
}

// A view, and the node that it reads from, which goes after it.
struct Kept {
  std::shared_ptr<DeviceNode> node;
  std::shared_ptr<View> view;
};

absl::StatusOr<Origin> Use(const std::shared_ptr<DeviceNode>& node, const Snapshot& snapshot,
                           const std::string& user) {
  Origin origin;
  origin.key = {.disk = node->id(), .snapshot = snapshot.serial};
  origin.forget = [node, serial = snapshot.serial] { Forget(*node, serial); };
  absl::Status opened = node->With([&](Disk& disk, const Doors& /*doors*/) -> absl::Status {
    absl::StatusOr<std::shared_ptr<View>> view =
        disk.past().Open(snapshot.number, absl::StrCat(Visible(user), ", a clone"));
    if (!view.ok()) return view.status();
    const auto kept = std::make_shared<Kept>(Kept{.node = node, .view = *std::move(view)});
    origin.view = std::shared_ptr<View>(kept, kept->view.get());
    origin.text = disk.past().OriginText(node->name(), snapshot.number);
    return absl::OkStatus();
  });
  if (opened.ok()) return origin;
  origin.LetGo();
  return opened;
}

absl::Status NoSuchDisk(std::string_view text) {
  return Error(ENOENT, absl::StrCat("origin: there is no disk ", Visible(text),
                                    " in this mount; the path of an image begins with /"));
}

// DISK/crash/CUT/STATE and the like.
absl::StatusOr<Origin> FindInDirectory(const std::string& text, size_t slash, const Requester& who,
                                       const std::string& user, const OriginServices& services) {
  const std::string_view all = text;
  const std::shared_ptr<DeviceNode> node = services.find_node(all.substr(0, slash));
  if (node == nullptr) return NoSuchDisk(all.substr(0, slash));
  if (absl::Status rights = CheckRights(*node, who, /*hold=*/false); !rights.ok()) return rights;
  DeviceDirectory device(node, services.sections);
  return CopyOrigin(device, all.substr(slash + 1), text, user, services.memory, services.keeper);
}

}  // namespace

absl::StatusOr<Origin> FindDiskOrigin(const std::string& text, const Requester& who,
                                      const std::string& user, bool again,
                                      const OriginServices& services) {
  if (const size_t slash = text.find('/'); slash != std::string::npos) {
    return FindInDirectory(text, slash, who, user, services);
  }
  std::shared_ptr<DeviceNode> node;
  size_t end = text.size();  // of the disk's name
  while ((node = services.find_node(std::string_view(text).substr(0, end))) == nullptr) {
    end = end == 0 ? std::string::npos : text.rfind('@', end - 1);
    if (end == std::string::npos) return NoSuchDisk(text);
  }
  const bool now = end == text.size();
  if (absl::Status rights = CheckRights(*node, who, now); !rights.ok()) return rights;
  if (now) {
    const absl::StatusOr<Snapshot> taken =
        TakeSnapshot(*node, /*name=*/"", {.if_open = again ? IfOpen::kAgain : IfOpen::kRefuse});
    if (!taken.ok()) return taken.status();
    try {
      return Use(node, *taken, user);
    } catch (const std::bad_alloc&) {
      Forget(*node, taken->serial);
      throw;
    }
  }
  const std::string name = text.substr(end + 1);
  const std::optional<Snapshot> snapshot =
      node->With([&](Disk& disk, const Doors& /*doors*/) { return disk.past().Find(name); });
  if (snapshot) return Use(node, *snapshot, user);
  return Error(ENOENT, absl::StrCat("origin: the disk ", Visible(node->name()), " has no snapshot ",
                                    Visible(name)));
}

absl::StatusOr<Origin> FoundDiskOrigin(const std::shared_ptr<DeviceNode>& node,
                                       const OriginKey& key, const std::string& user) {
  const std::optional<Snapshot> snapshot = node->With(
      [&](Disk& disk, const Doors& /*doors*/) { return disk.past().WithSerial(key.snapshot); });
  if (snapshot) return Use(node, *snapshot, user);
  return Error(ENOENT, absl::StrCat("the origin of ", Visible(user), " is gone"));
}

}  // namespace rnullfs
