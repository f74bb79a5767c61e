// snapshots/ in a device's directory: mkdir takes one, rmdir and mv do what they say; in each there
// are the disk as it was, and info.json.
//
// Slots are the snapshots' numbers (rnullfs/disk_past.h) and one more, in a view for their
// directories, one for their disks and one for their info.

#include "tree/snapshots.h"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "json/document.h"
#include "rnullfs/error.h"
#include "tree/text_file.h"
#include "tree/view_file.h"

namespace rnullfs {
namespace {

constexpr uint8_t kDisks = kSnapshotsView + 1;
constexpr uint8_t kInfos = kSnapshotsView + 2;

constexpr Place PlaceOf(uint8_t view, const Snapshot& snapshot) {
  return MakePlace(view, snapshot.number + 1);
}

template <typename F>
auto WithPast(DeviceNode& node, F f) {
  return node.With([&](Disk& disk, const Doors& /*doors*/) { return f(disk.past()); });
}

std::optional<Snapshot> SnapshotAt(DeviceNode& node, Place place) {
  if (SlotOf(place) == 0) return std::nullopt;
  return WithPast(node, [&](DiskPast& past) { return past.Get(SlotOf(place) - 1U); });
}

class SnapshotInfo final : public DeviceEntry<File> {
 public:
  using DeviceEntry::DeviceEntry;

 private:
  std::string_view name() const override { return "info.json"; }
  uint64_t size() const override { return Text().size(); }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/, uint64_t /*handle*/,
                                                         std::string_view /*opener*/) override {
    return std::make_unique<TextFile>([text = Text()] { return text; });
  }
  std::string Text() const {
    const std::optional<Snapshot> snapshot = SnapshotAt(*node_, place_);
    if (!snapshot) return {};
    Document info;
    info.AddNumber("sequence", snapshot->moment);
    info.AddNumber("taken_nsec", static_cast<uint64_t>(snapshot->taken_nsec));
    info.AddNumber("size_bytes", snapshot->size_bytes);
    info.AddNumber("alone_bytes", WithPast(*node_, [&](DiskPast& past) {
                     return past.AloneBytes(snapshot->number);
                   }));
    return info.Text();
  }
};

class SnapshotDisk final : public ViewFile {
 public:
  using ViewFile::ViewFile;

 private:
  uint64_t size() const override {
    const std::optional<Snapshot> snapshot = SnapshotAt(*node_, place_);
    return snapshot ? snapshot->size_bytes : 0;
  }
  absl::StatusOr<std::shared_ptr<View>> OpenView(const std::string& who) override {
    return WithPast(*node_, [&](DiskPast& past) { return past.Open(SlotOf(place_) - 1U, who); });
  }
};

class SnapshotDirectory final : public DeviceEntry<Directory> {
 public:
  using DeviceEntry::DeviceEntry;
  std::shared_ptr<Entry> Lookup(std::string_view name) override {
    if (name == "disk") return FindInSnapshots(node_, MakePlace(kDisks, SlotOf(place_)));
    if (name == "info.json") return FindInSnapshots(node_, MakePlace(kInfos, SlotOf(place_)));
    return nullptr;
  }

 private:
  Inode parent() const override { return MakeInode(node_->id(), MakePlace(kSnapshotsView, 0)); }
  void ListBehind(uint64_t offset, Show show) override {
    const Inode disk = MakeInode(node_->id(), MakePlace(kDisks, SlotOf(place_)));
    const Inode info = MakeInode(node_->id(), MakePlace(kInfos, SlotOf(place_)));
    if (offset < 1 && !show("disk", disk, S_IFREG, 1)) return;
    if (offset < 2) show("info.json", info, S_IFREG, 2);
  }
};

class SnapshotsDirectory final : public DeviceEntry<Directory> {
 public:
  using DeviceEntry::DeviceEntry;

  std::shared_ptr<Entry> Lookup(std::string_view name) override {
    const std::optional<Snapshot> snapshot = Named(name);
    return snapshot ? FindInSnapshots(node_, PlaceOf(kSnapshotsView, *snapshot)) : nullptr;
  }
  absl::StatusOr<std::shared_ptr<Entry>> Make(std::string_view name,
                                              const Creation& creation) override {
    if (absl::Status good = CheckName(name); !good.ok()) return good;
    const absl::StatusOr<Snapshot> taken = TakeSnapshot(*node_, name, creation);
    if (!taken.ok()) return taken.status();
    return FindInSnapshots(node_, PlaceOf(kSnapshotsView, *taken));
  }
  absl::Status Remove(std::string_view name, uint64_t request, IfOpen if_open) override {
    const std::optional<Snapshot> snapshot = Named(name);
    if (!snapshot) return node_->WasRemovedBy(request) ? absl::OkStatus() : NoSuchFile();
    node_->NoteRemoval(request);
    const absl::Status removed =
        WithPast(*node_, [&](DiskPast& past) { return past.Remove(snapshot->number); });
    const bool again = ErrnoOf(removed) == EBUSY && if_open == IfOpen::kAgain;
    return again ? Error(EAGAIN, "the snapshot is open") : removed;
  }
  absl::Status Rename(std::string_view name, Entry& to, std::string_view new_name, unsigned flags,
                      uint64_t request) override {
    if ((flags & ~unsigned{RENAME_NOREPLACE}) != 0 || to.inode() != inode()) {
      return Error(EPERM, "a snapshot is renamed within its directory, and replaces none");
    }
    if (absl::Status good = CheckName(new_name); !good.ok()) return good;
    const std::optional<Snapshot> snapshot = Named(name);
    // Heard again, of who has died before the answer.
    if (!snapshot) {
      return Named(new_name) && node_->WasRemovedBy(request) ? absl::OkStatus() : NoSuchFile();
    }
    node_->NoteRemoval(request);
    return WithPast(*node_,
                    [&](DiskPast& past) { return past.Rename(snapshot->number, new_name); });
  }

 private:
  Inode parent() const override { return MakeInode(node_->id(), kDirectorySlot); }
  uint64_t directories() const override {
    return WithPast(*node_, [](DiskPast& past) { return past.figures().snapshots; });
  }
  // Offsets: the slots.
  void ListBehind(uint64_t offset, Show show) override {
    for (;;) {
      const std::optional<Snapshot> next = WithPast(
          *node_, [&](DiskPast& past) { return past.Next(static_cast<uint32_t>(offset)); });
      if (!next) return;
      offset = next->number + 1;
      const Inode inode = MakeInode(node_->id(), PlaceOf(kSnapshotsView, *next));
      if (!show(next->name, inode, S_IFDIR, offset)) return;
    }
  }
  std::optional<Snapshot> Named(std::string_view name) const {
    return WithPast(*node_, [&](DiskPast& past) { return past.Find(name); });
  }
};

}  // namespace

// What the kernel may be writing meanwhile can have no moment.  A close that has not been heard of
// yet is waited for.
absl::StatusOr<Snapshot> TakeSnapshot(DeviceNode& node, std::string_view name,
                                      const Creation& creation) {
  return node.With([&](Disk& disk, const Doors& doors) -> absl::StatusOr<Snapshot> {
    if (!doors.KernelMayWrite()) return disk.past().Take(name, creation.request);
    if (doors.pinned()) {
      return Error(EBUSY,
                   "snapshots: datapath is passthrough, where what is overwritten does not come "
                   "by; write auto or daemon to datapath first");
    }
    if (creation.if_open == IfOpen::kAgain) return Error(EAGAIN, "the kernel serves the disk");
    return doors.Busy(
        "snapshots: the kernel serves the disk (passthrough; it does not if datapath is daemon "
        "before it is opened), and none can be taken");
  });
}

std::shared_ptr<Entry> FindInSnapshots(const std::shared_ptr<DeviceNode>& node, Place place) {
  if (place == MakePlace(kSnapshotsView, 0)) {
    return std::make_shared<SnapshotsDirectory>(node, place, 0755);
  }
  if (!SnapshotAt(*node, place)) return nullptr;
  switch (ViewOf(place)) {
    case kSnapshotsView:
      return std::make_shared<SnapshotDirectory>(node, place, 0555);
    case kDisks:
      return std::make_shared<SnapshotDisk>(node, place);
    default:
      return std::make_shared<SnapshotInfo>(node, place, 0444);
  }
}

}  // namespace rnullfs
