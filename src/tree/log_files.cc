// log/ in a device's directory: what the disk has been asked to do, in the formats that people have
// tools for, and marks.  Its files are there while the disk has history.
//
// What another process had open goes on only if nothing has been forgotten: where a record lies
// follows from all that are before it.
//
// Slots are 0 for the directory, and those of the rows below; in the other view they are the
// marks' (marks.cc).

#include "tree/log_files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "json/document.h"
#include "rnullfs/error.h"
#include "tree/forgotten.h"
#include "tree/marks.h"
#include "tree/text_file.h"
#include "tree/view_file.h"

namespace rnullfs {
namespace {

template <typename F>
auto WithPast(DeviceNode& node, F f) {
  return node.With([&](Disk& disk, const Doors& /*doors*/) { return f(disk.past()); });
}

std::optional<LogFigures> FiguresOf(DeviceNode& node) {
  return WithPast(node, [](DiskPast& past) { return past.log(); });
}

// The log in a format; with the disk's owner and mode, as it tells what is in it.
class LogFile final : public ViewFile {
 public:
  LogFile(std::shared_ptr<DeviceNode> node, uint32_t slot, std::string_view name, LogKind kind)
      : ViewFile(std::move(node), MakePlace(kLogView, slot)), name_(name), kind_(kind) {}
  bool lasting() const override { return false; }

 private:
  std::string_view name() const override { return name_; }
  bool lasts() const override { return false; }
  uint64_t size() const override {
    return node_->With([&](Disk& disk, const Doors& /*doors*/) {
      return disk.past().LogSize(kind_, disk.config().log_fua, node_->name());
    });
  }
  absl::StatusOr<std::shared_ptr<View>> OpenView(const std::string& who) override {
    return node_->With([&](Disk& disk, const Doors& /*doors*/) {
      return disk.past().OpenLog(kind_, disk.config().log_fua, node_->name(), who);
    });
  }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int flags, uint64_t handle,
                                                         std::string_view opener) override {
    if (opener.empty() && !IsAsItWas()) return std::make_unique<ForgottenHandle>();
    return ViewFile::MakeHandle(flags, handle, opener);
  }
  bool IsAsItWas() const {
    const std::optional<LogFigures> figures = FiguresOf(*node_);
    if (!figures || kind_ == LogKind::kIolog) return false;
    return kind_ == LogKind::kText ? figures->first == 1 : figures->writes_begin == 0;
  }

  const std::string_view name_;
  const LogKind kind_;
};

JsonValue MarksAsJson(const std::vector<NamedMoment>& marks) {
  JsonValue list = {JsonValue::Kind::kList};
  for (const NamedMoment& mark : marks) {
    JsonValue& each = list.parts.emplace_back(JsonValue{JsonValue::Kind::kObject});
    each.parts.push_back({JsonValue::Kind::kText, mark.name, "name"});
    each.parts.push_back({JsonValue::Kind::kNumber, std::to_string(mark.number), "sequence"});
  }
  return list;
}

std::string InfoText(DeviceNode& node) {
  const std::optional<LogFigures> figures = FiguresOf(node);
  if (!figures) return {};
  Document info;
  info.AddNumber("first", figures->first);
  info.AddNumber("last", figures->last);
  info.AddNumber("writes_begin", figures->writes_begin);
  info.Add("marks", MarksAsJson(WithPast(node, [](DiskPast& past) { return past.Marks(); })));
  return info.Text();
}

class LogInfo final : public DeviceEntry<File> {
 public:
  using DeviceEntry::DeviceEntry;
  bool lasting() const override { return false; }

 private:
  std::string_view name() const override { return "info.json"; }
  uint64_t size() const override { return InfoText(*node_).size(); }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/, uint64_t /*handle*/,
                                                         std::string_view /*opener*/) override {
    return std::make_unique<TextFile>([node = node_] { return InfoText(*node); });
  }
};

std::string MarksText(DeviceNode& node) {
  std::string text;
  for (const NamedMoment& mark : WithPast(node, [](DiskPast& past) { return past.Marks(); })) {
    absl::StrAppend(&text, mark.number, " ", mark.name, "\n");
  }
  return text;
}

// Takes one write(2) as one name, whatever its offset, as an attribute's file does.
class MarkHandle final : public TextFile {
 public:
  explicit MarkHandle(std::shared_ptr<DeviceNode> node)
      : TextFile([node] { return MarksText(*node); }), node_(std::move(node)) {}
  absl::StatusOr<uint64_t> Write(uint64_t /*offset*/, std::string_view data,
                                 const Writer& writer) override {
    absl::Status marked = SetMark(*node_, data, writer);
    if (!marked.ok()) return marked;
    return data.size();
  }
  absl::Status Truncate(uint64_t /*length*/) override { return absl::OkStatus(); }

 private:
  const std::shared_ptr<DeviceNode> node_;
};

class MarkFile final : public DeviceEntry<File> {
 public:
  using DeviceEntry::DeviceEntry;
  bool lasting() const override { return false; }

 private:
  std::string_view name() const override { return "mark"; }
  uint64_t size() const override { return MarksText(*node_).size(); }
  bool writable() const override { return true; }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/, uint64_t /*handle*/,
                                                         std::string_view /*opener*/) override {
    return std::make_unique<MarkHandle>(node_);
  }
};

// --- The directory -------------------------------------------------------------------------------

// By their slots, from 1 on.
constexpr std::array<std::string_view, 5> kFiles = {"entries", "info.json", "mark", "writes",
                                                    "iolog"};

constexpr uint32_t kMarkSlot = 3;

class LogDirectory final : public DeviceEntry<Directory> {
 public:
  using DeviceEntry::DeviceEntry;
  std::shared_ptr<Entry> Lookup(std::string_view name) override {
    const auto found = std::find(kFiles.begin(), kFiles.end(), name);
    if (found == kFiles.end()) return nullptr;
    return FindInLog(node_, MakePlace(kLogView, static_cast<uint32_t>(found - kFiles.begin()) + 1));
  }

 private:
  Inode parent() const override { return MakeInode(node_->id(), kDirectorySlot); }
  void ListBehind(uint64_t offset, Show show) override {
    if (!FiguresOf(*node_)) return;
    for (uint64_t i = offset; i < kFiles.size(); ++i) {
      const Place place = MakePlace(kLogView, static_cast<uint32_t>(i) + 1);
      if (!show(kFiles[i], MakeInode(node_->id(), place), S_IFREG, i + 1)) return;
    }
  }
};

}  // namespace

std::shared_ptr<Entry> FindInLog(const std::shared_ptr<DeviceNode>& node, Place place) {
  const uint32_t slot = SlotOf(place);
  if (ViewOf(place) == kMarkLinks) return FindMarkLink(node, place);
  if (slot == 0) return std::make_shared<LogDirectory>(node, place, 0555);
  // A mark is there for who writes one, and hears what is missing.
  if (slot > kFiles.size() || (slot != kMarkSlot && !FiguresOf(*node))) return nullptr;
  const std::string_view name = kFiles[slot - 1];
  switch (slot) {
    case 1:
      return std::make_shared<LogFile>(node, slot, name, LogKind::kText);
    case 2:
      return std::make_shared<LogInfo>(node, place, 0444);
    case kMarkSlot:
      return std::make_shared<MarkFile>(node, place, 0644);
    case 4:
      return std::make_shared<LogFile>(node, slot, name, LogKind::kWrites);
    default:
      return std::make_shared<LogFile>(node, slot, name, LogKind::kIolog);
  }
}

absl::Status SetMark(DeviceNode& node, std::string_view text, const Writer& writer) {
  text = TrimSpace(UpToNul(text));
  return node.Apply(writer, [&](Disk& disk, const Doors& /*doors*/, Owners& /*owners*/) {
    if (text.empty()) return Error(EINVAL, "mark: write the name that this moment is to have");
    if (absl::Status good = CheckName(text); !good.ok()) return good;
    return disk.past().SetMark(text, writer.request).status();
  });
}

}  // namespace rnullfs
