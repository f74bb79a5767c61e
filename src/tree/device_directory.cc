#include "tree/device_directory.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "base/parse.h"
#include "json/json.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"
#include "tree/crash.h"
#include "tree/damage_file.h"
#include "tree/fault_rules.h"
#include "tree/log_files.h"
#include "tree/moments.h"
#include "tree/pristine.h"
#include "tree/rollback_file.h"
#include "tree/snapshots.h"
#include "tree/text_file.h"

namespace rnullfs {
namespace {

// --- Open files ----------------------------------------------------------------------------------

constexpr uint64_t kAttributeBytesMax = 4095;  // SIMPLE_ATTR_SIZE - 1 in fs/configfs/file.c

// An attribute's: takes one write(2) as one value, whatever its offset, as configfs does.
class AttributeHandle final : public TextFile {
 public:
  AttributeHandle(std::shared_ptr<DeviceNode> node, const Attribute& attribute)
      : TextFile([node, &attribute] { return ShowAttribute(attribute, node->settings()); }),
        node_(std::move(node)),
        attribute_(attribute) {}

  absl::StatusOr<uint64_t> Write(uint64_t offset, std::string_view data,
                                 const Writer& writer) override {
    // What lies behind the NUL that ends a text is nothing: tar(1) pads with NULs what is shorter
    // than stat(2) has it, in a write of their own if they come that way.
    if (offset > 0 && data.find_first_not_of('\0') == std::string_view::npos) return data.size();
    if (data.find('\0') >= kAttributeBytesMax) data = data.substr(0, kAttributeBytesMax);
    const bool cuts = attribute_.name == "power" && TrimSpace(UpToNul(data)) == "cut";
    absl::Status stored = cuts ? node_->Cut(writer) : node_->StoreText(attribute_, data, writer);
    if (!stored.ok()) return stored;
    return data.size();
  }
  absl::Status Truncate(uint64_t /*length*/) override { return absl::OkStatus(); }

 private:
  const std::shared_ptr<DeviceNode> node_;
  const Attribute& attribute_;
};

// config.json's: takes an object in pieces (config_edit.h).
class ConfigHandle final : public TextFile {
 public:
  // `handle`: the number of this open, the same for a process that takes it over.
  ConfigHandle(std::shared_ptr<DeviceNode> node, bool append, uint64_t handle)
      : TextFile([node] { return ShowJson(node->settings()); }),
        node_(std::move(node)),
        append_(append),
        handle_(handle) {}

  absl::StatusOr<uint64_t> Write(uint64_t offset, std::string_view data,
                                 const Writer& writer) override {
    const ConfigEdit::Piece piece = {.handle = handle_,
                                     .offset = offset,
                                     .data = data,
                                     .append = append_,
                                     .last_end = end_.load()};
    absl::Status written = node_->WriteJson(piece, writer);
    if (!written.ok()) return written;
    end_.store(offset + data.size());
    return data.size();
  }
  absl::Status Truncate(uint64_t length) override {
    node_->TruncateJson(handle_, length);
    return absl::OkStatus();
  }
  absl::Status Flush() override { return node_->FlushJson(handle_); }

 private:
  const std::shared_ptr<DeviceNode> node_;
  const bool append_;
  const uint64_t handle_;
  std::atomic<uint64_t> end_{0};  // where the last piece that was taken ended
};

// --- What every device's directory has -----------------------------------------------------------

// A file, or the directory of a fault.
struct Row {
  std::string_view name;
  uint32_t slot;                         // in the inode number; never changes its meaning
  mode_t mode;                           // permission bits when new
  uint32_t parent = kDirectorySlot;      // the slot of the directory it is in
  const Attribute* attribute = nullptr;  // whose text the file is, or else
  std::string (*show)(const DeviceNode& node) = nullptr;  // what makes it
  bool is_directory = false;
};

// Directories, and the second names that some attributes have, take the slots from here on;
constexpr uint32_t kFirstDirectorySlot = 5;
constexpr uint32_t kFirstAliasSlot = 8;
// attributes the slots from here on, in the table's order.  The table only ever grows at its end.
constexpr uint32_t kFirstAttributeSlot = 16;

const Row* FindRow(const std::vector<Row>& rows, uint32_t parent, std::string_view name) {
  const auto it = std::find_if(rows.begin(), rows.end(), [&](const Row& row) {
    return row.name == name && row.parent == parent;
  });
  return it == rows.end() ? nullptr : &*it;
}

void AddAttributes(std::vector<Row>& rows) {
  uint32_t slot = kFirstAttributeSlot;
  uint32_t alias_slot = kFirstAliasSlot;
  for (const Attribute& attribute : Attributes()) {
    const std::string_view directory = DirectoryOf(attribute);
    Row row = {.name = attribute.name,
               .slot = slot++,
               .mode = attribute.read_only ? 0444U : 0644U,
               .attribute = &attribute};
    if (attribute.is_section) continue;
    if (!directory.empty()) {
      row.name.remove_prefix(directory.size() + 1);
      row.parent = FindRow(rows, kDirectorySlot, directory)->slot;
    }
    rows.push_back(row);
    if (!attribute.alias_is_file) continue;
    row.name = attribute.alias;
    row.slot = alias_slot++;
    rows.push_back(row);
  }
  // In a listing `power` comes behind the others: who copies a directory sets them first.
  const auto power =
      std::find_if(rows.begin(), rows.end(), [](const Row& row) { return row.name == "power"; });
  std::rotate(power, power + 1, rows.end());
}

std::string ShowConfig(const DeviceNode& node) { return ShowJson(node.settings()); }
std::string ShowStats(const DeviceNode& node) { return node.StatsText(); }
std::string ShowLastError(const DeviceNode& node) { return node.last_error(); }

std::vector<Row> MakeRows() {
  std::vector<Row> rows;
  uint32_t slot = kFirstDirectorySlot;
  for (const FaultGroup& group : FaultGroups()) {
    rows.push_back({.name = group.name, .slot = slot++, .mode = 0755, .is_directory = true});
  }
  AddAttributes(rows);
  rows.push_back({.name = "config.json", .slot = 1, .mode = 0644, .show = ShowConfig});
  rows.push_back({.name = "stats.json", .slot = 2, .mode = 0444, .show = ShowStats});
  rows.push_back({.name = "last_error", .slot = 3, .mode = 0444, .show = ShowLastError});
  rows.push_back({.name = "damage", .slot = kDamageSlot, .mode = kDamageMode});
  rows.push_back({.name = "rollback", .slot = kRollbackSlot, .mode = kRollbackMode});
  rows.push_back({.name = "disk", .slot = kDiskSlot, .mode = kDiskMode});
  return rows;
}

// In the order a listing shows them, with those in their directories.
const std::vector<Row>& Rows() {
  static const std::vector<Row>& rows = *new std::vector<Row>(MakeRows());
  return rows;
}

class DeviceFile : public DeviceEntry<File> {
 public:
  DeviceFile(std::shared_ptr<DeviceNode> node, const Row& row)
      : DeviceEntry(std::move(node), row.slot, row.mode), row_(row) {}

 private:
  std::string_view name() const override { return row_.name; }
  bool writable() const override { return (row_.mode & 0222) != 0; }
  uint64_t size() const override {
    return row_.show == nullptr ? File::size() : row_.show(*node_).size();
  }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int flags, uint64_t handle,
                                                         std::string_view /*opener*/) override {
    if (row_.attribute != nullptr) {
      return std::make_unique<AttributeHandle>(node_, *row_.attribute);
    }
    if (writable()) return std::make_unique<ConfigHandle>(node_, (flags & O_APPEND) != 0, handle);
    return std::make_unique<TextFile>([node = node_, show = row_.show] { return show(*node); });
  }

  const Row& row_;
};

class DiskFile final : public DeviceFile {
 public:
  using DeviceFile::DeviceFile;
  bool lasting() const override { return false; }  // it comes and goes with power
  absl::StatusOr<struct stat> Stat() const override {
    absl::StatusOr<struct stat> st = File::Stat();
    st->st_blocks = static_cast<blkcnt_t>(node_->facts().stored_bytes / 512);
    return st;
  }
  absl::Status Truncate(uint64_t length) override {
    if (length <= size()) return absl::OkStatus();
    return Error(ENOSPC, "disk: its size is the attribute `size`");
  }

 private:
  uint64_t size() const override { return node_->facts().size_bytes; }
  // A front end opens the device (DeviceNode::OpenDisk()).
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/, uint64_t /*handle*/,
                                                         std::string_view /*opener*/) override {
    return NoSuchFile();
  }
};

// `disk` comes and goes with power.
bool IsThere(const Row& row, const DeviceNode& node) {
  return row.slot != kDiskSlot || node.has_disk();
}

bool IsThere(const Section& section, const DeviceNode& node) {
  return HasView(node.id(), section.view);
}

}  // namespace

Sections DeviceSections() {
  static constexpr Section kSections[] = {
      {.name = "snapshots", .view = kSnapshotsView, .views = 3, .find = FindInSnapshots},
      {.name = "at", .view = kMomentsView, .views = 3, .find = FindInMoments},
      {.name = "faults", .view = kFaultRulesView, .views = 2, .find = FindInFaultRules},
      {.name = "pristine", .view = kPristineView, .find = FindInPristine},
      {.name = "log", .view = kLogView, .views = 2, .find = FindInLog},
      {.name = "crash", .view = kCrashView, .views = kCrashViews, .find = FindInCrash},
  };
  return kSections;
}

std::shared_ptr<Entry> DeviceDirectory::Find(Place place) const {
  for (const Section& section : sections_) {
    const int view = ViewOf(place) - section.view;
    if (view >= 0 && view < section.views) return section.find(node_, place);
  }
  if (place == kDirectorySlot) return std::make_shared<DeviceDirectory>(node_, sections_);
  const auto row =
      std::find_if(Rows().begin(), Rows().end(), [&](const Row& row) { return row.slot == place; });
  if (row == Rows().end() || !IsThere(*row, *node_)) return nullptr;
  if (row->is_directory) return std::make_shared<DeviceDirectory>(node_, Sections(), place);
  if (place == kDiskSlot) return std::make_shared<DiskFile>(node_, *row);
  if (place == kDamageSlot) return std::make_shared<DamageFile>(node_);
  if (place == kRollbackSlot) return std::make_shared<RollbackFile>(node_);
  return std::make_shared<DeviceFile>(node_, *row);
}

Inode DeviceDirectory::parent() const {
  return place_ == kDirectorySlot ? kRootInode : MakeInode(node_->id(), kDirectorySlot);
}

uint64_t DeviceDirectory::directories() const {
  if (place_ != kDirectorySlot) return 0;
  const auto sections =
      std::count_if(sections_.begin(), sections_.end(),
                    [this](const Section& each) { return IsThere(each, *node_); });
  return FaultGroups().size() + static_cast<uint64_t>(sections);
}

std::shared_ptr<Entry> DeviceDirectory::Lookup(std::string_view name) {
  if (const Row* row = FindRow(Rows(), place_, name)) return Find(row->slot);
  for (const Section& section : sections_) {
    if (section.name != name || !IsThere(section, *node_)) continue;
    return section.find(node_, MakePlace(section.view, kDirectorySlot));
  }
  return nullptr;
}

// Offsets: by the place in the table, then in the sections.
void DeviceDirectory::ListBehind(uint64_t offset, Show show) {
  const std::vector<Row>& rows = Rows();
  for (uint64_t i = offset; i < rows.size(); ++i) {
    if (rows[i].parent != place_ || !IsThere(rows[i], *node_)) continue;
    const mode_t type = rows[i].is_directory ? S_IFDIR : S_IFREG;
    if (!show(rows[i].name, MakeInode(node_->id(), rows[i].slot), type, i + 1)) return;
  }
  for (uint64_t i = offset - std::min(offset, rows.size()); i < sections_.size(); ++i) {
    if (!IsThere(sections_[i], *node_)) continue;
    const Inode inode = MakeInode(node_->id(), MakePlace(sections_[i].view, kDirectorySlot));
    if (!show(sections_[i].name, inode, S_IFDIR, rows.size() + i + 1)) return;
  }
}

}  // namespace rnullfs
