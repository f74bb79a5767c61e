#include "tree/marks.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace rnullfs {
namespace {

Place PlaceOfMark(uint64_t number) { return MakePlace(kMarkLinks, static_cast<uint32_t>(number)); }

std::vector<NamedMoment> MarksOf(DeviceNode& node) {
  return node.With([](Disk& disk, const Doors& /*doors*/) { return disk.past().Marks(); });
}

class MarkLink final : public DeviceEntry<Link> {
 public:
  MarkLink(std::shared_ptr<DeviceNode> node, uint64_t number)
      : DeviceEntry(std::move(node), PlaceOfMark(number), 0777), number_(number) {}
  bool lasting() const override { return false; }
  uint64_t generation() const override { return number_ >> kWideSlotBits; }

 private:
  std::string target() const override { return absl::StrCat(number_); }

  const uint64_t number_;
};

}  // namespace

std::optional<uint64_t> FindMark(DeviceNode& node, std::string_view name) {
  return node.With([&](Disk& disk, const Doors& /*doors*/) { return disk.past().FindMark(name); });
}

std::shared_ptr<Entry> MakeMarkLink(const std::shared_ptr<DeviceNode>& node, uint64_t number) {
  return std::make_shared<MarkLink>(node, number);
}

std::shared_ptr<Entry> FindMarkLink(const std::shared_ptr<DeviceNode>& node, Place place) {
  const std::vector<NamedMoment> marks = MarksOf(*node);
  const auto found = std::find_if(marks.rbegin(), marks.rend(), [&](const NamedMoment& mark) {
    return PlaceOfMark(mark.number) == place;
  });
  return found == marks.rend() ? nullptr : MakeMarkLink(node, found->number);
}

bool ShowMarks(DeviceNode& node, uint64_t first, uint64_t before, uint64_t offset,
               Entry::Show show) {
  const std::vector<NamedMoment> marks = MarksOf(node);
  std::map<std::string_view, uint64_t> newest;
  for (const NamedMoment& mark : marks) newest[mark.name] = mark.number;
  for (const NamedMoment& mark : marks) {
    if (mark.number < first || before + mark.number <= offset) continue;
    if (newest[mark.name] != mark.number) continue;
    const Inode inode = MakeInode(node.id(), PlaceOfMark(mark.number));
    if (!show(mark.name, inode, S_IFLNK, before + mark.number)) return false;
  }
  return true;
}

}  // namespace rnullfs
