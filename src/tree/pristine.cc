// pristine/ in a device's directory: pristine/disk is what the disk would be, had nothing been done
// to it silently, as long as that is on.  It is listed while something has been: who copies a
// directory need not have everything twice.
//
// Slots are 0 for the directory and 1 for the disk.

#include "tree/pristine.h"

#include <cerrno>
#include <string>
#include <utility>

#include "damage/damage.h"
#include "tree/view_file.h"

namespace rnullfs {
namespace {

constexpr uint32_t kTruthSlot = 1;

// What lies under what the disk shows; it keeps the device on, as who has `disk` open does.
class Truth final : public View {
 public:
  Truth(std::shared_ptr<DeviceNode> node, const Medium& medium, uint64_t handle)
      : node_(std::move(node)), medium_(medium), handle_(handle) {}
  ~Truth() override { static_cast<void>(node_->CloseDisk(handle_)); }

  int Read(uint64_t offset, uint64_t length, Sink sink) override {
    const Device* const device = node_->device();
    int dark = 0;
    const int error = medium_.contents().Read(offset, length, [&](absl::Span<const iovec> data) {
      dark = device == nullptr || !device->has_power() ? EIO : 0;
      if (dark == 0) sink(data);  // else it may be half of what a cut leaves
    });
    return error != 0 ? error : dark;
  }
  uint64_t NextData(uint64_t offset) const override { return medium_.contents().NextData(offset); }
  uint64_t NextHole(uint64_t offset) const override { return medium_.contents().NextHole(offset); }
  uint64_t size_bytes() const override { return medium_.contents().size_bytes(); }

 private:
  const std::shared_ptr<DeviceNode> node_;
  const Medium& medium_;
  const uint64_t handle_;
};

bool IsThere(DeviceNode& node) {
  return node.With([](Disk& disk, const Doors& /*doors*/) {
    return disk.device() != nullptr && disk.config().memory_backed;
  });
}

class TruthFile final : public ViewFile {
 public:
  using ViewFile::ViewFile;
  bool lasting() const override { return false; }  // it comes and goes with power

 private:
  uint64_t size() const override { return node_->facts().size_bytes; }
  bool lasts() const override { return false; }
  absl::StatusOr<std::shared_ptr<View>> OpenView(const std::string& who) override {
    const absl::StatusOr<uint64_t> handle = node_->HoldDisk(who + ", as pristine/disk");
    if (!handle.ok()) return handle.status();
    const Medium* const medium =
        node_->With([](Disk& disk, const Doors& /*doors*/) { return disk.medium(); });
    return std::make_shared<Truth>(node_, *medium, *handle);
  }
};

class PristineDirectory final : public DeviceEntry<Directory> {
 public:
  using DeviceEntry::DeviceEntry;
  std::shared_ptr<Entry> Lookup(std::string_view name) override {
    return name == "disk" ? FindInPristine(node_, MakePlace(kPristineView, kTruthSlot)) : nullptr;
  }

 private:
  Inode parent() const override { return MakeInode(node_->id(), kDirectorySlot); }
  void ListBehind(uint64_t offset, Show show) override {
    const bool damaged = node_->With([](Disk& disk, const Doors& /*doors*/) {
      return disk.medium() != nullptr && disk.medium()->damage().any();
    });
    if (offset > 0 || !damaged || !IsThere(*node_)) return;
    show("disk", MakeInode(node_->id(), MakePlace(kPristineView, kTruthSlot)), S_IFREG, 1);
  }
};

}  // namespace

std::shared_ptr<Entry> FindInPristine(const std::shared_ptr<DeviceNode>& node, Place place) {
  if (SlotOf(place) == 0) return std::make_shared<PristineDirectory>(node, place, 0555);
  if (SlotOf(place) != kTruthSlot || !IsThere(*node)) return nullptr;
  return std::make_shared<TruthFile>(node, place);
}

}  // namespace rnullfs
