// The files of a state that a power cut may have left.

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "json/document.h"
#include "rnullfs/error.h"
#include "store/page_sectors.h"
#include "tree/crash.h"
#include "tree/text_file.h"

namespace rnullfs {
namespace {

constexpr CrashFile kFiles[] = {
    {.name = "disk", .view = kCrashDisks, .of_made = false},
    {.name = "state.json", .view = kCrashInfos, .of_made = false},
    {.name = "consulted", .view = kCrashConsulted, .of_made = false},
    {.name = "without", .view = kCrashWithout, .of_made = true},
    {.name = "only", .view = kCrashOnly, .of_made = true},
    {.name = "choices", .view = kCrashChoices, .of_made = true},
};

using StateOr = absl::StatusOr<std::shared_ptr<const CrashState>>;

StateOr Look(const std::shared_ptr<CrashStates>& states, uint32_t id) {
  return states == nullptr ? Error(ESTALE, "crash: the disk has no history any more")
                           : states->Look(id);
}

JsonValue Numbers(const std::vector<uint64_t>& numbers) {
  JsonValue list = {JsonValue::Kind::kList};
  for (const uint64_t number : numbers) list.parts.push_back(JsonNumber(absl::StrCat(number)));
  return list;
}

// --- The disk ------------------------------------------------------------------------------------

class CrashHandle final : public FileHandle {
 public:
  explicit CrashHandle(std::shared_ptr<CrashState> state) : state_(std::move(state)) {}
  absl::StatusOr<std::string> Read(uint64_t /*offset*/, uint64_t /*length*/) override {
    return Error(EINVAL, "disk: it is read by its view");
  }
  View* view() const override { return state_.get(); }
  // Nobody else writes to it.  A page that is read is more than one unit where these are smaller.
  bool lasts() const override { return state_->cut().unit_bytes() >= PageStore::kPageSize; }
  bool lasted() const override { return lasts() && state_->is_first(); }
  bool MayReadAhead(uint64_t offset, uint64_t length) override {
    return state_->MayReadAhead(offset, length);
  }
  absl::StatusOr<uint64_t> Write(uint64_t offset, std::string_view data,
                                 const Writer& /*writer*/) override {
    if (absl::Status fits = Check(offset, data.size()); !fits.ok()) return fits;
    const int error = state_->Write(offset, data.size(), data.data());
    if (error != 0) return Why(error);
    return data.size();
  }
  absl::Status Zero(uint64_t offset, uint64_t length) override {
    if (absl::Status fits = Check(offset, length); !fits.ok()) return fits;
    const int error = state_->WriteZeroes(offset, length);
    return error == 0 ? absl::OkStatus() : Why(error);
  }
  absl::Status Truncate(uint64_t length) override {
    if (absl::Status fits = Check(0, length); !fits.ok()) return fits;
    return Zero(length, state_->size_bytes() - length);
  }

 private:
  absl::Status Check(uint64_t offset, uint64_t length) const {
    const uint64_t size = state_->size_bytes();
    if (offset <= size && length <= size - offset) return absl::OkStatus();
    return Error(ENOSPC, "disk: it has the size of the device's disk");
  }
  static absl::Status Why(int error) {
    if (error == ENOSPC) return Error(error, "crash: there is no memory for what is written");
    return Error(error, "crash: the history has forgotten this state, or cannot be read");
  }

  const std::shared_ptr<CrashState> state_;
};

class CrashDisk final : public CrashEntry<File> {
 public:
  CrashDisk(std::shared_ptr<DeviceNode> node, uint32_t id)
      : CrashEntry(std::move(node), MakePlace(kCrashDisks, id)), id_(id) {}
  absl::Status Truncate(uint64_t length) override {
    const absl::StatusOr<std::unique_ptr<FileHandle>> open =
        Open(O_WRONLY, /*handle=*/0, /*opener=*/{});
    return open.ok() ? (*open)->Truncate(length) : open.status();
  }
  bool keeps_length() const override { return true; }

 private:
  std::string_view name() const override { return "disk"; }
  bool writable() const override { return true; }
  uint64_t size() const override {
    return node_->With([](Disk& disk, const Doors& /*doors*/) {
      const std::optional<Moments> moments = disk.past().moments();
      return moments ? moments->size_bytes : 0;
    });
  }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/, uint64_t /*handle*/,
                                                         std::string_view opener) override {
    const std::string who(opener.empty() ? "somebody" : opener);
    // It is made before the device has to wait for it.
    const StateOr made = Look(CrashStatesOf(*node_), id_);
    if (!made.ok()) return node_->Refuse(made.status());
    absl::StatusOr<std::shared_ptr<CrashState>> state =
        node_->With([&](Disk& disk, const Doors& /*doors*/) {
          return disk.past().OpenCrash(id_, absl::StrCat(who, ", in crash/"));
        });
    if (!state.ok()) return state.status();
    return std::make_unique<CrashHandle>(*std::move(state));
  }

  const uint32_t id_;
};

// --- What is shown -------------------------------------------------------------------------------

std::string_view NameOf(LogEntry::Kind kind) {
  return kind == LogEntry::Kind::kWrite     ? "write"
         : kind == LogEntry::Kind::kDiscard ? "discard"
                                            : "zero";
}

// What of a request is not there: how many units, and the first.
struct LostPart {
  uint64_t units = 0;
  uint64_t first = 0;
};

// By the places of the requests in the cut.
std::vector<LostPart> LostParts(const CrashState& state) {
  const CrashCut& cut = state.cut();
  std::vector<LostPart> lost(cut.requests().size());
  for (size_t i = 0; i < cut.units().size(); ++i) {
    const CrashUnit& unit = cut.units()[i];
    for (auto change = unit.changes.rbegin(); change != unit.changes.rend(); ++change) {
      if (change->second == state.picks()[i]) break;
      const LogEntry* const request = cut.FindRequest(change->first);
      if (request == nullptr) continue;
      LostPart& part = lost[static_cast<size_t>(request - cut.requests().data())];
      if (part.units++ == 0) part.first = unit.index;
    }
  }
  return lost;
}

JsonValue Shown(const LogEntry& request, const LostPart& lost, uint64_t unit_sectors) {
  const uint64_t first = request.offset / kSectorSize;
  const uint64_t end = (request.offset + request.length + kSectorSize - 1) / kSectorSize;
  JsonValue shown = {JsonValue::Kind::kObject};
  const auto add = [&shown](uint64_t number, std::string key) {
    shown.parts.push_back(JsonNumber(absl::StrCat(number), std::move(key)));
  };
  add(request.number, "sequence");
  shown.parts.push_back({JsonValue::Kind::kText, std::string(NameOf(request.kind)), "op"});
  add(first, "sector");
  add(end - first, "sectors");
  if (lost.units > 0) {
    add(lost.units * unit_sectors, "lost_sectors");
    add(std::max(first, lost.first * unit_sectors), "first_lost_sector");
  }
  return shown;
}

std::string InfoText(DeviceNode& node, const CrashStates::Known& known) {
  const std::shared_ptr<CrashStates> states = CrashStatesOf(node);
  const StateOr state = Look(states, known.id);
  if (!state.ok()) return {};
  const CrashCut& cut = (*state)->cut();
  const std::vector<LostPart> parts = LostParts(**state);
  JsonValue kept = {JsonValue::Kind::kList};
  JsonValue lost = {JsonValue::Kind::kList};
  for (size_t i = 0; i < parts.size(); ++i) {
    JsonValue& list = parts[i].units == 0 ? kept : lost;
    list.parts.push_back(Shown(cut.requests()[i], parts[i], cut.unit_bytes() / kSectorSize));
  }
  uint64_t lost_bytes = 0;
  for (size_t i = 0; i < cut.units().size(); ++i) {
    if ((*state)->picks()[i] != cut.units()[i].newest()) lost_bytes += cut.unit_bytes();
  }
  uint64_t identity = 0;
  const bool identified = states->Identify(known.id, identity) == 0;
  Document info;
  info.AddNumber("cut", cut.number()).AddNumber("moment", cut.moment());
  info.AddNumber("atomic", cut.unit_bytes()).AddNumber("units", cut.units().size());
  info.Add("states_log2", JsonNumber(absl::StrFormat("%.1f", cut.states_log2())));
  info.AddText("identity", identified ? absl::StrFormat("%016x", identity) : "");
  info.AddBool("forgotten", cut.forgotten());
  info.AddNumber("lost_bytes", lost_bytes).Add("kept", kept).Add("lost", lost);
  info.Add("written", Numbers((*state)->Written()));
  return info.Text();
}

// A line for each unit: its index, how many versions it has, which one it is here.
std::string ConsultedText(DeviceNode& node, const CrashStates::Known& known) {
  const StateOr state = Look(CrashStatesOf(node), known.id);
  if (!state.ok()) return {};
  const CrashCut& cut = (*state)->cut();
  JsonValue list = {JsonValue::Kind::kList};
  for (const uint64_t index : (*state)->Consulted()) {
    const CrashUnit& unit = *cut.FindUnit(index);
    const uint32_t pick = (*state)->picks()[static_cast<size_t>(&unit - cut.units().data())];
    JsonValue& shown = list.parts.emplace_back(JsonValue{JsonValue::Kind::kObject});
    shown.parts.push_back(JsonNumber(absl::StrCat(index), "unit"));
    shown.parts.push_back(JsonNumber(absl::StrCat(unit.versions.size()), "versions"));
    shown.parts.push_back(JsonNumber(absl::StrCat(pick), "version"));
  }
  return WriteJson(list, JsonLayout::kDense) + "\n";
}

class CrashText final : public CrashEntry<File> {
 public:
  CrashText(std::shared_ptr<DeviceNode> node, uint8_t view, CrashStates::Known state)
      : CrashEntry(std::move(node), MakePlace(view, state.id), IsChoice(view) ? 0666 : 0444),
        view_(view),
        state_(std::move(state)) {}

 private:
  static bool IsChoice(uint8_t view) { return view >= kCrashWithout; }
  std::string_view name() const override { return "a state's file"; }
  bool writable() const override { return IsChoice(view_); }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/, uint64_t /*handle*/,
                                                         std::string_view /*opener*/) override {
    if (IsChoice(view_)) return OpenCrashChoice(node_, view_, state_.id);
    const StateOr made = Look(CrashStatesOf(*node_), state_.id);
    if (!made.ok()) return node_->Refuse(made.status());
    const auto show = view_ == kCrashInfos ? InfoText : ConsultedText;
    return std::make_unique<TextFile>(
        [node = node_, state = state_, show] { return show(*node, state); });
  }

  const uint8_t view_;
  const CrashStates::Known state_;
};

}  // namespace

absl::Span<const CrashFile> CrashFiles() { return kFiles; }

std::string CrashUnitsText(const CrashCut& cut) {
  JsonValue list = {JsonValue::Kind::kList};
  for (const CrashUnit& unit : cut.units()) {
    std::vector<uint64_t> moments;
    for (const CrashVersion& version : unit.versions) moments.push_back(version.moment);
    JsonValue versions = Numbers(moments);
    versions.key = "versions";
    JsonValue& shown = list.parts.emplace_back(JsonValue{JsonValue::Kind::kObject});
    shown.parts.push_back(JsonNumber(absl::StrCat(unit.index), "unit"));
    shown.parts.push_back(std::move(versions));
    shown.parts.push_back(JsonNumber(absl::StrCat(unit.newest()), "newest"));
  }
  return WriteJson(list, JsonLayout::kDense) + "\n";
}

std::shared_ptr<Entry> MakeCrashFile(const std::shared_ptr<DeviceNode>& node, uint8_t view,
                                     const CrashStates::Known& state) {
  if (view == kCrashDisks) return std::make_shared<CrashDisk>(node, state.id);
  return std::make_shared<CrashText>(node, view, state);
}

}  // namespace rnullfs
