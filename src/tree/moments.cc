// at/ in a device's directory: at/N/disk is the disk as it was after its change number N, for every
// N that the history has.  Only the first and the last are listed, and the marks, which are
// symbolic links to their numbers (marks.h).
//
// Slots are the low 32 bits of the numbers, in a view for the moments' directories and one for
// their disks; they mean the newest number that has them.  So a number that is as old as 2^32
// changes has no name any more, and the bits above are the generation, by which the kernel tells
// two numbers of one slot.  What the history has forgotten is ESTALE by number, and ENOENT by name.

#include "tree/moments.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "rnullfs/error.h"
#include "tree/forgotten.h"
#include "tree/marks.h"
#include "tree/view_file.h"

namespace rnullfs {
namespace {

constexpr uint8_t kDirectories = kMomentsView + 1;
constexpr uint8_t kDisks = kMomentsView + 2;
constexpr uint64_t kSlotMax = UINT32_MAX;

std::optional<Moments> MomentsOf(DeviceNode& node) {
  std::optional<Moments> moments =
      node.With([](Disk& disk, const Doors& /*doors*/) { return disk.past().moments(); });
  if (moments && moments->last > kSlotMax) {
    moments->first = std::max(moments->first, moments->last - kSlotMax);
  }
  return moments;
}

Place PlaceOfMoment(uint8_t view, uint64_t number) {
  return MakePlace(view, static_cast<uint32_t>(number));
}

class MomentDisk final : public ViewFile {
 public:
  MomentDisk(std::shared_ptr<DeviceNode> node, uint64_t number, uint64_t size_bytes)
      : ViewFile(std::move(node), PlaceOfMoment(kDisks, number)),
        number_(number),
        size_bytes_(size_bytes) {}
  bool lasting() const override { return false; }
  uint64_t generation() const override { return number_ / (kSlotMax + 1); }

 private:
  uint64_t size() const override { return size_bytes_; }
  absl::StatusOr<std::shared_ptr<View>> OpenView(const std::string& who) override {
    return node_->With(
        [&](Disk& disk, const Doors& /*doors*/) { return disk.past().OpenAt(number_, who); });
  }

  const uint64_t number_;
  const uint64_t size_bytes_;
};

class MomentDirectory final : public DeviceEntry<Directory> {
 public:
  MomentDirectory(std::shared_ptr<DeviceNode> node, uint64_t number, uint64_t size_bytes)
      : DeviceEntry(std::move(node), PlaceOfMoment(kDirectories, number), 0555),
        number_(number),
        size_bytes_(size_bytes) {}
  bool lasting() const override { return false; }
  uint64_t generation() const override { return number_ / (kSlotMax + 1); }
  absl::Status ChangeOwnership(const OwnershipChange& /*change*/) override {
    return Error(EPERM, "at: a moment's directory stays as it is");
  }
  std::shared_ptr<Entry> Lookup(std::string_view name) override {
    return name == "disk" ? std::make_shared<MomentDisk>(node_, number_, size_bytes_) : nullptr;
  }

 private:
  Inode parent() const override { return MakeInode(node_->id(), MakePlace(kMomentsView, 0)); }
  void ListBehind(uint64_t offset, Show show) override {
    if (offset > 0) return;
    show("disk", MakeInode(node_->id(), PlaceOfMoment(kDisks, number_)), S_IFREG, 1);
  }

  const uint64_t number_;
  const uint64_t size_bytes_;
};

class MomentsDirectory final : public DeviceEntry<Directory> {
 public:
  using DeviceEntry::DeviceEntry;
  std::shared_ptr<Entry> Lookup(std::string_view name) override {
    const std::optional<Moments> moments = MomentsOf(*node_);
    const std::optional<uint64_t> number = ParseNumber(name);
    const std::optional<uint64_t> named = number ? number : FindMark(*node_, name);
    if (!named || !moments || *named < moments->first || *named > moments->last) return nullptr;
    if (!number) return MakeMarkLink(node_, *named);
    return std::make_shared<MomentDirectory>(node_, *number, moments->size_bytes);
  }

 private:
  Inode parent() const override { return MakeInode(node_->id(), kDirectorySlot); }
  uint64_t directories() const override {
    const std::optional<Moments> moments = MomentsOf(*node_);
    return !moments ? 0 : moments->first == moments->last ? 1 : 2;
  }
  // Offsets: 1 behind the first, 2 behind the last, and 2 + its number behind a mark.
  void ListBehind(uint64_t offset, Show show) override {
    const std::optional<Moments> moments = MomentsOf(*node_);
    if (!moments) return;
    const auto show_one = [&](uint64_t number, uint64_t next) {
      const Inode inode = MakeInode(node_->id(), PlaceOfMoment(kDirectories, number));
      return show(absl::StrCat(number), inode, S_IFDIR, next);
    };
    if (offset < 1 && !show_one(moments->first, 1)) return;
    if (offset < 2 && moments->last != moments->first && !show_one(moments->last, 2)) return;
    static_cast<void>(ShowMarks(*node_, moments->first, 2, offset, show));
  }
};

// The newest number that has the slot; none, when there has been none yet.
std::optional<uint64_t> NumberOf(const Moments& moments, uint32_t slot) {
  const uint32_t back = static_cast<uint32_t>(moments.last) - slot;
  if (back > moments.last) return std::nullopt;
  return moments.last - back;
}

}  // namespace

std::shared_ptr<Entry> FindInMoments(const std::shared_ptr<DeviceNode>& node, Place place) {
  if (place == MakePlace(kMomentsView, 0)) {
    return std::make_shared<MomentsDirectory>(node, place, 0555);
  }
  if (ViewOf(place) == kMomentsView) return nullptr;
  const std::optional<Moments> moments = MomentsOf(*node);
  const std::optional<uint64_t> number = moments ? NumberOf(*moments, SlotOf(place)) : std::nullopt;
  if (!number || *number < moments->first) {
    return std::make_shared<ForgottenEntry>(MakeInode(node->id(), place));
  }
  if (ViewOf(place) == kDisks) {
    return std::make_shared<MomentDisk>(node, *number, moments->size_bytes);
  }
  return std::make_shared<MomentDirectory>(node, *number, moments->size_bytes);
}

}  // namespace rnullfs
