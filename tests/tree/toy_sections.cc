#include "tree/toy_sections.h"

#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "rnullfs/error.h"
#include "rnullfs/mutex.h"
#include "tree/text_file.h"

namespace rnullfs {
namespace {

constexpr uint32_t kFirstMoment = 10;
constexpr uint32_t kLastMoment = 20;

std::shared_ptr<Entry> FindAt(const std::shared_ptr<DeviceNode>& node, Place place);
std::shared_ptr<Entry> FindMark(const std::shared_ptr<DeviceNode>& node, Place place);

// The slots of at/ are twice the moment for its directory, and one more for its file.
constexpr Place PlaceOfMoment(uint32_t moment) { return MakePlace(kAtView, moment * 2); }

class MomentFile final : public DeviceEntry<File> {
 public:
  using DeviceEntry::DeviceEntry;
  std::string_view name() const override { return "moment"; }
  uint64_t size() const override { return Text().size(); }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/, uint64_t /*handle*/,
                                                         std::string_view /*opener*/) override {
    return std::make_unique<TextFile>([text = Text()] { return text; });
  }

 private:
  std::string Text() const { return absl::StrCat(node_->name(), " at ", SlotOf(place_) / 2, "\n"); }
};

class Moment final : public DeviceEntry<Directory> {
 public:
  using DeviceEntry::DeviceEntry;
  bool lasting() const override { return false; }  // the history forgets
  Inode parent() const override { return MakeInode(node_->id(), MakePlace(kAtView, 0)); }
  std::shared_ptr<Entry> Lookup(std::string_view name) override {
    return name == "moment" ? FindAt(node_, place_ + 1) : nullptr;
  }
  void ListBehind(uint64_t offset, Show show) override {
    if (offset == 0) show("moment", MakeInode(node_->id(), place_ + 1), S_IFREG, 1);
  }
};

class At final : public DeviceEntry<Directory> {
 public:
  using DeviceEntry::DeviceEntry;
  Inode parent() const override { return MakeInode(node_->id(), kDirectorySlot); }
  std::shared_ptr<Entry> Lookup(std::string_view name) override {
    uint32_t moment = 0;
    if (!absl::SimpleAtoi(std::string(name), &moment) || moment > kLastMoment) return nullptr;
    if (std::to_string(moment) != name) return nullptr;  // one name for each
    return FindAt(node_, PlaceOfMoment(moment));
  }
  void ListBehind(uint64_t offset, Show show) override {
    for (const uint32_t moment : {kFirstMoment, kLastMoment}) {
      const Inode inode = MakeInode(node_->id(), PlaceOfMoment(moment));
      if (moment > offset && !show(std::to_string(moment), inode, S_IFDIR, moment)) return;
    }
  }
};

std::shared_ptr<Entry> FindAt(const std::shared_ptr<DeviceNode>& node, Place place) {
  const uint32_t slot = SlotOf(place);
  if (slot == kDirectorySlot) return std::make_shared<At>(node, place, 0555);
  if (slot < kFirstMoment * 2 || slot > kLastMoment * 2 + 1) return nullptr;
  if (slot % 2 == 0) return std::make_shared<Moment>(node, place, 0555);
  return std::make_shared<MomentFile>(node, place, 0444);
}

// What a disk would keep, and save.
struct Marks {
  Mutex mutex;
  uint16_t next_slot ABSL_GUARDED_BY(mutex) = 1;
  std::map<std::string, uint16_t, std::less<>> slots ABSL_GUARDED_BY(mutex);
};

Marks& MarksOf(const DeviceNode& node) {
  static auto& marks = *new std::map<std::string, Marks>();
  return marks[node.name()];
}

class Mark final : public DeviceEntry<Directory> {
 public:
  using DeviceEntry::DeviceEntry;
  Inode parent() const override { return MakeInode(node_->id(), MakePlace(kMarksView, 0)); }
  std::shared_ptr<Entry> Lookup(std::string_view /*name*/) override { return nullptr; }
  void ListBehind(uint64_t /*offset*/, Show /*show*/) override {}
};

class MarkDirectory final : public DeviceEntry<Directory> {
 public:
  using DeviceEntry::DeviceEntry;
  Inode parent() const override { return MakeInode(node_->id(), kDirectorySlot); }
  uint64_t directories() const override {
    const LockGuard lock(marks_.mutex);
    return marks_.slots.size();
  }
  std::shared_ptr<Entry> Lookup(std::string_view name) override {
    const LockGuard lock(marks_.mutex);
    const auto it = marks_.slots.find(name);
    return it == marks_.slots.end() ? nullptr : MarkAt(it->second);
  }
  void ListBehind(uint64_t offset, Show show) override {
    const LockGuard lock(marks_.mutex);
    for (const auto& [name, slot] : marks_.slots) {  // a real one would go by slot
      if (slot > offset && !show(name, MarkAt(slot)->inode(), S_IFDIR, slot)) return;
    }
  }
  absl::StatusOr<std::shared_ptr<Entry>> Make(std::string_view name,
                                              const Creation& /*creation*/) override {
    if (absl::Status status = CheckName(name); !status.ok()) return status;
    const LockGuard lock(marks_.mutex);
    const auto [it, is_new] = marks_.slots.try_emplace(std::string(name), marks_.next_slot);
    if (!is_new) return Error(EEXIST, "mkdir: the name is taken");
    return MarkAt(marks_.next_slot++);
  }
  absl::Status Remove(std::string_view name, uint64_t /*request*/, IfOpen /*if_open*/) override {
    const LockGuard lock(marks_.mutex);
    return marks_.slots.erase(std::string(name)) == 0 ? NoSuchFile() : absl::OkStatus();
  }
  absl::Status Rename(std::string_view name, Entry& to, std::string_view new_name,
                      unsigned /*flags*/, uint64_t /*request*/) override {
    if (to.inode() != inode()) return Error(EXDEV, "a mark stays with its disk");
    const LockGuard lock(marks_.mutex);
    auto mark = marks_.slots.extract(std::string(name));
    if (mark.empty()) return NoSuchFile();
    mark.key() = std::string(new_name);
    marks_.slots.insert(std::move(mark));
    return absl::OkStatus();
  }

 private:
  std::shared_ptr<Entry> MarkAt(uint16_t slot) const {
    return std::make_shared<Mark>(node_, MakePlace(kMarksView, slot), 0755);
  }

  Marks& marks_ = MarksOf(*node_);
};

std::shared_ptr<Entry> FindMark(const std::shared_ptr<DeviceNode>& node, Place place) {
  const uint32_t slot = SlotOf(place);
  if (slot == kDirectorySlot) return std::make_shared<MarkDirectory>(node, place, 0755);
  Marks& marks = MarksOf(*node);
  const LockGuard lock(marks.mutex);
  for (const auto& [name, each] : marks.slots) {
    if (each == slot) return std::make_shared<Mark>(node, place, 0755);
  }
  return nullptr;
}

}  // namespace

Sections ToySections() {
  static constexpr Section kSections[] = {
      {.name = "at", .view = kAtView, .find = FindAt},
      {.name = "marks", .view = kMarksView, .find = FindMark},
  };
  return kSections;
}

}  // namespace rnullfs
