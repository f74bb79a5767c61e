// The root's record: what is saved while it is served, and how a process that comes after one that
// died makes the tree again.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/memfd_name.h"
#include "rnullfs/error.h"
#include "tree/tree.h"

namespace rnullfs {
namespace {

// Not more removals than this can be under way, and so unanswered, at once.
constexpr size_t kRemovalsMax = 256;

struct Found {
  uint64_t device_id;
  uint64_t inode;
  bool cache;
  UniqueFd memfd;
};

std::vector<Found> Identify(std::vector<UniqueFd> memfds) {
  std::vector<Found> found;
  for (UniqueFd& memfd : memfds) {
    char link[PATH_MAX];
    const ssize_t length =
        readlink(absl::StrCat("/proc/self/fd/", memfd.get()).c_str(), link, sizeof link);
    struct stat status = {};
    if (length < 0 || fstat(memfd.get(), &status) != 0) continue;
    const std::string_view name(link, static_cast<size_t>(length));
    if (const auto disk = ParseDiskMemfd(name)) {
      found.push_back({disk->id, status.st_ino, false, std::move(memfd)});
    } else if (const auto cache_of = ParseCacheMemfd(name)) {
      found.push_back({*cache_of, status.st_ino, true, std::move(memfd)});
    }
  }
  return found;
}

// The device's memfds: the one its record names, and one it was being moved to, if any.  (The name
// alone tells where the record is older than the move.)
DeviceNode::Memfds Take(const DeviceRecord& record, std::vector<Found>& found) {
  DeviceNode::Memfds memfds;
  for (Found& each : found) {
    if (each.device_id != record.id) continue;
    if (each.cache) {
      if (!memfds.cache.valid()) memfds.cache = std::move(each.memfd);
    } else if (!memfds.disk.valid()) {
      memfds.disk = std::move(each.memfd);
    } else if (each.inode == record.memfd) {
      memfds.moving_to = std::exchange(memfds.disk, std::move(each.memfd));
    } else {
      memfds.moving_to = std::move(each.memfd);
    }
  }
  return memfds;
}

}  // namespace

absl::Status Tree::Restore(std::vector<UniqueFd> memfds) {
  std::vector<Found> found = Identify(std::move(memfds));
  const MountRecord mount = services_.survival->mount();
  LockGuard lock(mutex_);
  next_id_ = mount.next_id;
  last_error_ = mount.last_error;
  for (const auto& [inode, ownership] : mount.ownership) root_ownership_[inode] = ownership;
  for (const DeviceRecord& record : services_.survival->devices()) {
    if (record.id == 0 || record.id >= next_id_ || ids_.contains(record.name)) {
      return Error(EINVAL, "the saved state has two disks of one name or number");
    }
    DeviceNode::Memfds memfds = Take(record, found);
    const auto node = std::make_shared<DeviceNode>(record.id, record.name, record.created,
                                                   services_, record.request);
    absl::Status restored = node->Restore(record, std::move(memfds));
    if (!restored.ok()) return restored;
    if (absl::Status inserted = Insert(node); !inserted.ok()) return inserted;
  }
  // What no record names belonged to a device that was just being removed.
  for (const Found& each : found) {
    if (each.memfd.valid()) services_.survival->keeper().Drop(each.memfd.get());
  }
  services_.survival->TakeOver();
  return absl::OkStatus();
}

absl::Status Tree::CheckRoom() const {
  if (nodes_.size() < kDevicesMax) return absl::OkStatus();
  return Error(ENOSPC, absl::StrCat("a mount has at most ", kDevicesMax,
                                    " devices; remove one (rmdir), or mount another"));
}

absl::Status Tree::Insert(const std::shared_ptr<DeviceNode>& node) {
  if (by_id_.Store(node->id(), node.get()).error != 0) return Error(ENOMEM, "out of memory");
  try {
    nodes_.emplace(node->id(), node);
    ids_.emplace(node->name(), node->id());
  } catch (const std::bad_alloc&) {
    nodes_.erase(node->id());
    by_id_.Erase(node->id());
    return Error(ENOMEM, "out of memory");
  }
  return absl::OkStatus();
}

void Tree::SaveRoot() const {
  if (services_.survival == nullptr) return;
  try {
    services_.survival->UpdateMount([this](MountRecord& mount) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      mount.next_id = next_id_;
      mount.ownership = root_ownership_;
      mount.last_error = last_error_;
    });
  } catch (const std::bad_alloc&) {
    services_.survival->SayUnsaved(ENOMEM);
  }
}

bool Tree::WasRemovedBy(uint64_t request) const {
  if (request == 0 || services_.survival == nullptr) return false;
  const std::vector<uint64_t> removals = services_.survival->mount().removals;
  return std::find(removals.begin(), removals.end(), request) != removals.end();
}

void Tree::NoteRemoval(uint64_t request) const {
  if (request == 0 || services_.survival == nullptr) return;
  if (WasRemovedBy(request)) return;  // it is tried again
  services_.survival->UpdateMount([request](MountRecord& mount) {
    if (mount.removals.size() == kRemovalsMax) mount.removals.erase(mount.removals.begin());
    mount.removals.push_back(request);
  });
}

}  // namespace rnullfs
