#include "ctl/stretch.h"

#include <set>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"

namespace rnullfs {
namespace {

constexpr uint64_t kSectorBytes = 512;

std::unordered_map<uint64_t, uint32_t> VersionsOf(const std::vector<UncertainUnit>& units) {
  std::unordered_map<uint64_t, uint32_t> versions;
  for (const UncertainUnit& each : units) {
    versions.emplace(each.unit, static_cast<uint32_t>(each.versions.size()));
  }
  return versions;
}

// After the first of a request's units, before the last, and in the middle.
std::set<uint64_t> TearsOf(const LostRequest& request, uint64_t unit_sectors) {
  const uint64_t end = request.sector + request.sectors;
  const uint64_t first = (request.sector / unit_sectors + 1) * unit_sectors;
  const uint64_t last = (end - 1) / unit_sectors * unit_sectors;
  const uint64_t middle = (request.sector + end) / 2 / unit_sectors * unit_sectors;
  std::set<uint64_t> tears;
  for (const uint64_t tear : {first, middle, last}) {
    if (request.sector < tear && tear < end) tears.insert(tear - request.sector);
  }
  return tears;
}

}  // namespace

std::vector<Trial> NamedTrials(const StateInfo& all) {
  std::vector<Trial> trials = {{.name = "all", .tier = "all"}};
  for (const char* const tier : {"before", "without", "only"}) {
    for (const LostRequest& request : all.requests) {
      trials.push_back({.name = absl::StrCat(tier, "-", request.sequence), .tier = tier});
    }
  }
  for (const LostRequest& request : all.requests) {
    for (const uint64_t tear : TearsOf(request, all.unit_bytes / kSectorBytes)) {
      trials.push_back(
          {.name = absl::StrCat("torn-", request.sequence, "-", tear), .tier = "torn"});
    }
  }
  return trials;
}

Stretch::Stretch(uint64_t cut, std::vector<UncertainUnit> units, StateInfo all,
                 std::string promises)
    : cut_(cut),
      units_(std::move(units)),
      unit_count_(units_.size()),
      all_(std::move(all)),
      promises_(std::move(promises)),
      frontier_(VersionsOf(units_)) {}

void Stretch::GiveUp() {
  given_up_ = true;
  done_ = true;
}

std::optional<Trial> Stretch::Next() {
  if (given_up_) return std::nullopt;
  if (used_nsec_ < by_read_until_nsec_ || !begun_) {
    begun_ = true;
    if (std::optional<Assignment> units = frontier_.Next()) {
      ++under_way_;
      return Trial{.units = *std::move(units)};
    }
    done_ = frontier_.ended();
    if (done_) Forget();
    return std::nullopt;
  }
  std::optional<Trial> trial = NextNamed();
  if (trial) {
    ++under_way_;
  } else {
    done_ = under_way_ == 0;
  }
  return trial;
}

void Stretch::Allow(int64_t nsec) {
  by_read_until_nsec_ = used_nsec_ + nsec / 5 * 3;
  allowed_nsec_ = used_nsec_ + nsec;
  done_ = false;
}

// All, after the first by reading, which is none, whatever it takes.
std::optional<Trial> Stretch::NextNamed() {
  if (named_.empty()) named_ = NamedTrials(all_);
  if (covers_all() || (next_named_ >= 1 && used_nsec_ >= allowed_nsec_)) return std::nullopt;
  if (next_named_ < named_.size()) return named_[next_named_++];
  return Trial{.name = absl::StrCat(next_seed_++), .tier = "seeds"};
}

// There may be many stretches.  Those that may go on keep what they need.
void Stretch::Forget() {
  if (failure_) return;
  units_ = {};
  all_.requests = {};
  named_ = {};
  images_.Clear();
}

void Stretch::Add(const Trial& trial, const Verdict& verdict, int64_t took_nsec) {
  --under_way_;
  runs_ += 1 + verdict.more_runs;
  used_nsec_ += took_nsec;
  if (trial.name.empty()) {
    std::vector<uint64_t> consulted;
    for (const ConsultedUnit& each : verdict.consulted) consulted.push_back(each.unit);
    consulted.insert(consulted.end(), verdict.touched.begin(), verdict.touched.end());
    frontier_.Done(trial.units, consulted);
  } else {
    ++tiers_[trial.tier];
  }
  if (!verdict.recovery_whole) ++recoveries_left_;
  if (verdict.failed || verdict.recovery_failed) ++failed_;
  if (!verdict.failed || failure_) return;
  Assignment units = trial.units;
  for (const ConsultedUnit& each : verdict.consulted) units[each.unit] = each.version;
  if (trial.name.empty()) {
    for (const uint64_t unit : verdict.touched) units.emplace(unit, 0);
  }
  failure_ = {.units = std::move(units), .what = verdict.what, .output = verdict.output};
}

}  // namespace rnullfs
