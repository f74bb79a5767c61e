#include "ctl/counterexample.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <regex>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/visible.h"
#include "ctl/files.h"
#include "ctl/interrupt.h"
#include "ctl/shrink.h"
#include "rnullfs/error.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

constexpr uint64_t kRunsMax = 300;
constexpr size_t kFirstBytes = 16;
constexpr size_t kExplainedMax = 16;
constexpr uint64_t kSectorBytes = 512;

// A state of one cut by what is lost of it.
class Shrinker {
 public:
  Shrinker(const CrashDirectory& crash, const Judge& judge, const Stretch& stretch)
      : crash_(crash), judge_(judge), stretch_(stretch) {}

  // Finds the fewest; false where what has failed does not do so again.
  bool Find() {
    std::vector<uint64_t> units;
    for (const UncertainUnit& each : stretch_.units()) {
      const auto found = stretch_.failure()->units.find(each.unit);
      if (found != stretch_.failure()->units.end() && found->second != each.newest) {
        units.push_back(each.unit);
      }
    }
    if (!FailsWith(units)) return false;
    const std::vector<uint64_t> requests = LostWith(units);
    if (FailsWithout(requests)) {
      by_requests_ = true;
      lost_ = Shrink(requests, [this](const auto& lost) { return FailsWithout(lost); });
    } else {
      lost_ = Shrink(units, [this](const auto& lost) { return FailsWith(lost); });
    }
    return true;
  }

  // What describes the state that has been found, written to one that has been made.
  absl::Status Describe(const MadeState& state) const {
    return by_requests_ ? state.LoseRequests(lost_)
                        : state.Choose(UnitsWith(lost_), /*newest=*/true);
  }
  // Of the state that has been found.
  const Verdict& verdict() const { return verdict_; }
  uint64_t runs() const { return runs_; }
  absl::Status error() const { return error_; }

 private:
  // All others are there.
  Assignment UnitsWith(const std::vector<uint64_t>& lost) const {
    Assignment units;
    for (const uint64_t unit : lost) units[unit] = stretch_.failure()->units.at(unit);
    return units;
  }

  template <typename Choose>
  bool Fails(const Choose& choose) {
    if (!error_.ok() || ++runs_ > kRunsMax) return false;
    absl::StatusOr<MadeState> state =
        crash_.Make(stretch_.cut(), absl::StrCat("rnullctl-", getpid(), "-smaller"));
    error_ = state.ok() ? choose(*state) : state.status();
    if (!error_.ok()) return false;
    const absl::StatusOr<Verdict> verdict = judge_.Try(*state, stretch_.promises(), nullptr);
    error_ = verdict.status();
    if (!verdict.ok() || !verdict->failed) return false;
    verdict_ = *verdict;
    return true;
  }
  bool FailsWith(const std::vector<uint64_t>& units) {
    return Fails(
        [&](const MadeState& state) { return state.Choose(UnitsWith(units), /*newest=*/true); });
  }
  bool FailsWithout(const std::vector<uint64_t>& requests) {
    return Fails([&](const MadeState& state) { return state.LoseRequests(requests); });
  }

  // Those of which something is lost.
  std::vector<uint64_t> LostWith(const std::vector<uint64_t>& units) {
    std::vector<uint64_t> requests;
    absl::StatusOr<MadeState> state =
        crash_.Make(stretch_.cut(), absl::StrCat("rnullctl-", getpid(), "-smaller"));
    error_ = state.ok() ? state->Choose(UnitsWith(units), /*newest=*/true) : state.status();
    if (!error_.ok()) return requests;
    const absl::StatusOr<StateInfo> info = state->Info();
    error_ = info.status();
    if (!info.ok()) return requests;
    for (const LostRequest& request : info->requests) {
      if (request.lost_sectors > 0) requests.push_back(request.sequence);
    }
    return requests;
  }

  const CrashDirectory& crash_;
  const Judge& judge_;
  const Stretch& stretch_;
  bool by_requests_ = false;
  std::vector<uint64_t> lost_;
  Verdict verdict_;  // of the last that failed, which is what has been found
  uint64_t runs_ = 0;
  absl::Status error_;
};

// The first name that is free stays.
absl::StatusOr<std::string> Keep(const CrashDirectory& crash, uint64_t cut,
                                 const std::function<absl::Status(const MadeState&)>& describe) {
  for (int i = 1;; ++i) {
    const std::string name = absl::StrCat("fail-", i);
    if (access(crash.PathOf(cut, name).c_str(), F_OK) == 0) continue;
    absl::StatusOr<MadeState> state = crash.Make(cut, name);
    if (!state.ok()) return state.status();
    if (absl::Status described = describe(*state); !described.ok()) return described;
    state->Keep();
    return name;
  }
}

// The state that it speaks of has gone; the one that stays is described as that was.
std::string Renamed(const std::string& output, const std::string& name) {
  static const std::regex ours("rnullctl-[0-9]+-([0-9]+|smaller)(?=/disk)");
  return std::regex_replace(output, ours, name);
}

std::string FirstBytes(const CrashDirectory& crash, const LostRequest& request) {
  if (request.op != "write") return {};
  const std::string path = absl::StrCat(crash.device(), "/at/", request.sequence, "/disk");
  const UniqueFd disk(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char bytes[kFirstBytes];
  const auto offset = static_cast<off_t>(request.first_lost_sector * kSectorBytes);
  if (disk.get() < 0 || pread(disk.get(), bytes, sizeof bytes, offset) != sizeof bytes) return {};
  return absl::BytesToHexString(absl::string_view(bytes, sizeof bytes));
}

std::string Explained(const CrashDirectory& crash, uint64_t cut, const LostRequest& request,
                      const Command& explain) {
  constexpr int64_t kTimeoutNsec = 10'000'000'000;
  const CommandResult said = explain.Run({{"{}", crash.PathOf(cut, "all") + "/disk"},
                                          {"{sector}", absl::StrCat(request.first_lost_sector)},
                                          {"{sectors}", absl::StrCat(request.lost_sectors)}},
                                         kTimeoutNsec);
  std::string words = said.output;
  absl::RemoveExtraAsciiWhitespace(&words);
  if (said.status != 0)
    absl::StrAppend(&words, words.empty() ? "" : ", ", "explain: exit status ", said.status);
  return Visible(words);
}

}  // namespace

absl::StatusOr<Counterexample> MakeCounterexample(const CrashDirectory& crash, const Judge& judge,
                                                  const Stretch& stretch, const Command& explain) {
  const uint64_t cut = stretch.cut();
  const FoundFailure& failure = *stretch.failure();
  Shrinker shrinker(crash, judge, stretch);
  const bool again = shrinker.Find();
  if (Interrupt::happened()) return Error(ECANCELED, "interrupted");
  if (!shrinker.error().ok()) return shrinker.error();
  const absl::StatusOr<std::string> name = Keep(crash, cut, [&](const MadeState& state) {
    return again ? shrinker.Describe(state) : state.Choose(failure.units);
  });
  if (!name.ok()) return name.status();
  Counterexample found = {
      .cut = cut,
      .state = *name,
      .lost = {},
      .what = again ? shrinker.verdict().what : failure.what,
      .again = again,
      .output = Renamed(again ? shrinker.verdict().output : failure.output, *name),
      .runs = shrinker.runs(),
      .device = crash.device()};
  if (!again) found.what += ", but not when it was tried again";
  const absl::StatusOr<StateInfo> info = crash.Info(cut, *name);
  if (!info.ok()) return info.status();
  for (const LostRequest& request : info->requests) {
    if (request.lost_sectors == 0) continue;
    Lost& lost = found.lost.emplace_back(Lost{request, FirstBytes(crash, request), {}});
    if (!explain.empty() && found.lost.size() <= kExplainedMax) {
      lost.belongs_to = Explained(crash, cut, request, explain);
    }
  }
  return found;
}

}  // namespace rnullfs
