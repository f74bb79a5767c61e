#include "tree/crash.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "rnullfs/error.h"
#include "tree/forgotten.h"
#include "tree/text_file.h"

namespace rnullfs {
namespace {

constexpr std::string_view kUnitsName = "units.json";
constexpr uint64_t kNowOffset = uint64_t{1} << 62;
constexpr uint64_t kMarksOffset = uint64_t{1} << 61;

// The cuts that there are by number; the last is yet to come: now.
struct Cuts {
  uint64_t first;
  uint64_t now;
  uint32_t unit_bytes;
};

std::optional<Cuts> CutsOf(DeviceNode& node) {
  return node.With([](Disk& disk, const Doors& /*doors*/) -> std::optional<Cuts> {
    const std::optional<Moments> moments = disk.past().moments();
    const std::optional<LogFigures> log = disk.past().log();
    if (!moments || !log) return std::nullopt;
    return Cuts{.first = std::max(log->first, moments->first + 1),
                .now = log->last + 1,
                .unit_bytes = disk.config().atomic_bytes()};
  });
}

Place PlaceOfCut(uint64_t number) { return MakePlace(kCrashCuts, static_cast<uint32_t>(number)); }

absl::Status NoHistory() {
  return Error(ENOENT, "crash: the disk has no history; write how many MiB of it to history");
}

class NowLink final : public DeviceEntry<Link> {
 public:
  NowLink(std::shared_ptr<DeviceNode> node, uint64_t now)
      : DeviceEntry(std::move(node), MakePlace(kCrashNow, 0), 0777), now_(now) {}

  bool lasting() const override { return false; }

 private:
  std::string target() const override { return absl::StrCat(now_); }

  const uint64_t now_;
};

// --- A state -------------------------------------------------------------------------------------

class StateDirectory final : public CrashEntry<Directory> {
 public:
  StateDirectory(std::shared_ptr<DeviceNode> node, CrashStates::Known state)
      : CrashEntry(std::move(node), MakePlace(kCrashStates, state.id), 0555),
        state_(std::move(state)) {}
  std::shared_ptr<Entry> Lookup(std::string_view name) override {
    for (const CrashFile& file : CrashFiles()) {
      if (file.name == name && IsThere(file)) return MakeCrashFile(node_, file.view, state_);
    }
    return nullptr;
  }

 private:
  bool IsThere(const CrashFile& file) const { return state_.made || !file.of_made; }
  Inode parent() const override { return MakeInode(node_->id(), PlaceOfCut(state_.cut)); }
  void ListBehind(uint64_t offset, Show show) override {
    for (uint64_t i = offset; i < CrashFiles().size(); ++i) {
      const CrashFile& file = CrashFiles()[i];
      const Inode inode = MakeInode(node_->id(), MakePlace(file.view, state_.id));
      if (IsThere(file) && !show(file.name, inode, S_IFREG, i + 1)) return;
    }
  }

  const CrashStates::Known state_;
};

// --- A cut ---------------------------------------------------------------------------------------

class CrashUnitsFile final : public CrashEntry<File> {
 public:
  CrashUnitsFile(std::shared_ptr<DeviceNode> node, uint64_t cut, uint32_t unit_bytes)
      : CrashEntry(std::move(node), MakePlace(kCrashUnits, static_cast<uint32_t>(cut)), 0444),
        cut_(cut),
        unit_bytes_(unit_bytes) {}

 private:
  std::string_view name() const override { return kUnitsName; }
  absl::StatusOr<std::unique_ptr<FileHandle>> MakeHandle(int /*flags*/, uint64_t /*handle*/,
                                                         std::string_view /*opener*/) override {
    const std::shared_ptr<CrashStates> states = CrashStatesOf(*node_);
    if (states == nullptr) return NoHistory();
    const absl::StatusOr<std::shared_ptr<const CrashCut>> cut = states->CutAt(cut_, unit_bytes_);
    if (!cut.ok()) return node_->Refuse(cut.status());
    return std::make_unique<TextFile>([text = CrashUnitsText(**cut)] { return text; });
  }

  const uint64_t cut_;
  const uint32_t unit_bytes_;
};

class CutDirectory final : public CrashEntry<Directory> {
 public:
  CutDirectory(std::shared_ptr<DeviceNode> node, uint64_t number, uint32_t unit_bytes)
      : CrashEntry(std::move(node), PlaceOfCut(number)), number_(number), unit_bytes_(unit_bytes) {}
  uint64_t generation() const override { return number_ >> kWideSlotBits; }

  std::shared_ptr<Entry> Lookup(std::string_view name) override {
    if (name == kUnitsName) return std::make_shared<CrashUnitsFile>(node_, number_, unit_bytes_);
    const std::shared_ptr<CrashStates> states = CrashStatesOf(*node_);
    if (states == nullptr) return nullptr;
    absl::StatusOr<CrashStates::Known> state = states->Find(number_, unit_bytes_, name);
    return state.ok() ? std::make_shared<StateDirectory>(node_, *std::move(state)) : nullptr;
  }
  absl::StatusOr<std::shared_ptr<Entry>> Make(std::string_view name,
                                              const Creation& /*creation*/) override {
    if (absl::Status good = CheckName(name); !good.ok()) return good;
    const std::shared_ptr<CrashStates> states = CrashStatesOf(*node_);
    if (states == nullptr) return NoHistory();
    absl::StatusOr<CrashStates::Known> state = states->Make(number_, unit_bytes_, name);
    if (!state.ok()) return state.status();
    return std::make_shared<StateDirectory>(node_, *std::move(state));
  }
  absl::Status Remove(std::string_view name, uint64_t /*request*/, IfOpen if_open) override {
    const std::shared_ptr<CrashStates> states = CrashStatesOf(*node_);
    if (states == nullptr) return NoHistory();
    const absl::Status removed = states->Remove(number_, name);
    const bool again = ErrnoOf(removed) == EBUSY && if_open == IfOpen::kAgain;
    return again ? Error(EAGAIN, "the state is open") : removed;
  }

 private:
  Inode parent() const override { return MakeInode(node_->id(), MakePlace(kCrashView, 0)); }
  // Those that always are, and those that somebody has made.
  std::vector<CrashStates::Known> Listed() const {
    const std::shared_ptr<CrashStates> states = CrashStatesOf(*node_);
    std::vector<CrashStates::Known> listed;
    if (states == nullptr) return listed;
    for (const std::string_view name : {"none", "all"}) {
      const absl::StatusOr<CrashStates::Known> state = states->Find(number_, unit_bytes_, name);
      if (state.ok()) listed.push_back(*state);
    }
    for (CrashStates::Known& state : states->Made(number_)) listed.push_back(std::move(state));
    return listed;
  }
  uint64_t directories() const override {
    const std::shared_ptr<CrashStates> states = CrashStatesOf(*node_);
    return states == nullptr ? 0 : 2 + states->CountMade(number_);
  }
  // Offsets are the states' numbers and 1; units.json comes first.
  void ListBehind(uint64_t offset, Show show) override {
    const Place units = MakePlace(kCrashUnits, static_cast<uint32_t>(number_));
    if (offset < 1 && !show(kUnitsName, MakeInode(node_->id(), units), S_IFREG, 1)) return;
    std::vector<CrashStates::Known> listed = Listed();
    std::sort(listed.begin(), listed.end(),
              [](const auto& one, const auto& other) { return one.id < other.id; });
    for (const CrashStates::Known& state : listed) {
      const Inode inode = MakeInode(node_->id(), MakePlace(kCrashStates, state.id));
      const uint64_t next = uint64_t{state.id} + 1;
      if (next > offset && !show(state.name, inode, S_IFDIR, next)) return;
    }
  }

  const uint64_t number_;
  const uint32_t unit_bytes_;
};

// --- All of them ---------------------------------------------------------------------------------

class CrashDirectory final : public CrashEntry<Directory> {
 public:
  using CrashEntry::CrashEntry;
  // Who copies a device's directory sets what that one had: here it comes with the disk.
  absl::Status ChangeOwnership(const OwnershipChange& /*change*/) override {
    return absl::OkStatus();
  }
  std::shared_ptr<Entry> Lookup(std::string_view name) override {
    const std::optional<Cuts> cuts = CutsOf(*node_);
    if (!cuts) return nullptr;
    if (name == "now") return std::make_shared<NowLink>(node_, cuts->now);
    const std::optional<uint64_t> number = ParseNumber(name);
    const std::optional<uint64_t> named = number ? number : FindMark(*node_, name);
    if (!named || *named < cuts->first || *named > cuts->now) return nullptr;
    if (!number) return MakeMarkLink(node_, *named);
    return std::make_shared<CutDirectory>(node_, *number, cuts->unit_bytes);
  }

 private:
  Inode parent() const override { return MakeInode(node_->id(), kDirectorySlot); }
  // Flushes, and writes with FUA, by their numbers, then marks, then now.
  void ListBehind(uint64_t offset, Show show) override {
    const std::optional<Cuts> cuts = CutsOf(*node_);
    if (!cuts) return;
    for (uint64_t number = std::max(cuts->first, offset + 1); number < cuts->now;) {
      const std::vector<uint64_t> flushes = node_->With([&](Disk& disk, const Doors& /*doors*/) {
        return disk.past().Flushes(number, kFlushesAtOnce);
      });
      for (const uint64_t flush : flushes) {
        if (!show(absl::StrCat(flush), MakeInode(node_->id(), PlaceOfCut(flush)), S_IFDIR, flush)) {
          return;
        }
      }
      if (flushes.size() < kFlushesAtOnce) break;
      number = flushes.back() + 1;
    }
    if (offset < kNowOffset && !ShowMarks(*node_, cuts->first, kMarksOffset, offset, show)) return;
    const Inode now = MakeInode(node_->id(), MakePlace(kCrashNow, 0));
    if (offset < kNowOffset) show("now", now, S_IFLNK, kNowOffset);
  }
  static constexpr size_t kFlushesAtOnce = 64;
};

// The newest number that has the slot.
std::optional<uint64_t> NumberOf(const Cuts& cuts, uint32_t slot) {
  const uint32_t back = static_cast<uint32_t>(cuts.now) - slot;
  if (back > cuts.now || cuts.now - back < cuts.first) return std::nullopt;
  return cuts.now - back;
}

}  // namespace

std::shared_ptr<CrashStates> CrashStatesOf(DeviceNode& node) {
  return node.With([](Disk& disk, const Doors& /*doors*/) { return disk.past().crash(); });
}

std::shared_ptr<Entry> FindInCrash(const std::shared_ptr<DeviceNode>& node, Place place) {
  if (place == MakePlace(kCrashView, 0)) {
    return std::make_shared<CrashDirectory>(node, place, 0555);
  }
  const auto forgotten = std::make_shared<ForgottenEntry>(MakeInode(node->id(), place));
  const bool of_cut = ViewOf(place) == kCrashCuts || ViewOf(place) == kCrashUnits;
  if (of_cut || ViewOf(place) == kCrashNow) {
    const std::optional<Cuts> cuts = CutsOf(*node);
    if (cuts && ViewOf(place) == kCrashNow) return std::make_shared<NowLink>(node, cuts->now);
    const std::optional<uint64_t> number = cuts ? NumberOf(*cuts, SlotOf(place)) : std::nullopt;
    if (!number) return forgotten;
    if (ViewOf(place) == kCrashUnits) {
      return std::make_shared<CrashUnitsFile>(node, *number, cuts->unit_bytes);
    }
    return std::make_shared<CutDirectory>(node, *number, cuts->unit_bytes);
  }
  const std::shared_ptr<CrashStates> states = CrashStatesOf(*node);
  if (ViewOf(place) == kCrashView || states == nullptr) return forgotten;
  absl::StatusOr<CrashStates::Known> state = states->Get(SlotOf(place));
  if (!state.ok()) return forgotten;
  if (ViewOf(place) == kCrashStates) {
    return std::make_shared<StateDirectory>(node, *std::move(state));
  }
  return MakeCrashFile(node, ViewOf(place), *state);
}

}  // namespace rnullfs
