#include "device/fault_rule_table.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/kill_point.h"
#include "config/sector_ranges.h"
#include "rnullfs/error.h"
#include "rnullfs/rcu.h"

namespace rnullfs {
namespace {

// The rules that are on, of which one may match: asked first, as most requests match none.
class Reach {
 public:
  void Add(const FaultRule& rule) {
    for (size_t op = 0; op < kFaultOpCount; ++op) {
      if ((OpsOf(rule) >> op & 1) == 0) continue;
      if (rule.sectors.empty() || (1U << op) == kFaultFlush) {
        ranges_[op].push_back({0, UINT64_MAX});
      } else {
        ranges_[op].insert(ranges_[op].end(), rule.sectors.begin(), rule.sectors.end());
      }
    }
  }

  void Finish() {
    for (SectorRanges& ranges : ranges_) Merge(ranges);
  }

  // Of none, a range that nothing lies in.
  BadBlocks::Range Bounds(size_t op) const {
    if (ranges_[op].empty()) return {UINT64_MAX, 0};
    return {ranges_[op].front().first, ranges_[op].back().last};
  }

  bool Has(const FaultRequest& request) const {
    return Touch(ranges_[static_cast<size_t>(__builtin_ctz(request.op))], request.first,
                 request.last);
  }

 private:
  std::array<SectorRanges, kFaultOpCount> ranges_;
};

}  // namespace

struct FaultRuleTable::RuleSet {
  std::vector<std::shared_ptr<ArmedRule>> all;  // by name
  std::vector<ArmedRule*> on;
  Reach reach;
  Gates released;  // room for those of the set before

  std::shared_ptr<ArmedRule> Find(std::string_view name) const {
    const auto at = std::lower_bound(all.begin(), all.end(), name,
                                     [](const auto& each, std::string_view wanted) {
                                       return each->rule().name.compare(wanted) < 0;
                                     });
    return at == all.end() || (*at)->rule().name != name ? nullptr : *at;
  }
};

FaultRuleTable::FaultRuleTable(std::string name, MemfdKeeper& keeper)
    : name_(std::move(name)), keeper_(keeper), set_(std::make_unique<RuleSet>()) {}

FaultRuleTable::~FaultRuleTable() = default;

// --- Requests ----------------------------------------------------------------------------------

bool FaultRuleTable::HasRuleFor(const FaultRequest& request) const {
  const RcuReadGuard guard;
  const RuleSet* const set = live_.load(std::memory_order_acquire);
  return set != nullptr && set->reach.Has(request);
}

FaultVerdict FaultRuleTable::Judge(const FaultRequest& request) const {
  FaultVerdict verdict;
  const RcuReadGuard guard;
  const RuleSet* const set = live_.load(std::memory_order_acquire);
  if (set == nullptr) return verdict;
  for (ArmedRule* const rule : set->on) {
    if (rule->Matches(request)) rule->Judge(request, verdict);
  }
  if (verdict.fired) verdict.pending = PendingFaults(std::move(verdict.counts));
  if (verdict.fired) KillPoint("fault-counted");
  return verdict;
}

// --- Changes -----------------------------------------------------------------------------------

FaultRules FaultRuleTable::Get() const {
  FaultRules rules;
  for (const auto& each : set_->all) rules.push_back(each->rule());
  return rules;
}

absl::Status FaultRuleTable::PreparePlaces(const FaultRules& next) {
  if (file_ == nullptr && !next.empty()) {
    absl::StatusOr<std::unique_ptr<FaultFile>> file = FaultFile::Create(name_, keeper_);
    if (!file.ok()) return file.status();
    file_ = *std::move(file);
  }
  for (const FaultRule& rule : next) {
    if (places_.contains(rule.name)) continue;
    const absl::StatusOr<uint32_t> serial = file_->Make(rule.name);
    if (!serial.ok()) return serial.status();
    places_.emplace(rule.name, std::make_shared<RulePlace>(file_, *serial));
  }
  return absl::OkStatus();
}

absl::Status FaultRuleTable::Prepare(const FaultRules& next) {
  if (absl::Status prepared = PreparePlaces(next); !prepared.ok()) {
    Undo();
    return prepared;
  }
  auto set = std::make_unique<RuleSet>();
  set->released.reserve(set_->all.size());
  for (const FaultRule& rule : next) {
    std::shared_ptr<ArmedRule> armed = set_->Find(rule.name);
    if (armed == nullptr || !IsUntouched(armed->rule(), rule)) {
      armed = std::make_shared<ArmedRule>(rule, places_.find(rule.name)->second);
    }
    set->all.push_back(std::move(armed));
    if (!rule.enabled) continue;
    set->on.push_back(set->all.back().get());
    set->reach.Add(rule);
  }
  set->reach.Finish();
  next_ = std::move(set);
  return absl::OkStatus();
}

void FaultRuleTable::Undo() {
  next_ = nullptr;
  for (auto at = places_.begin(); at != places_.end();) {
    if (set_->Find(at->first) != nullptr) {
      ++at;
      continue;
    }
    at->second->removed = true;
    at = places_.erase(at);
  }
}

FaultRuleTable::Gates FaultRuleTable::Commit() { return Replace(/*anew=*/true); }

// What a rule has counted begins anew, if that is wanted, where it is on and was not the same
// before.
FaultRuleTable::Gates FaultRuleTable::Replace(bool anew) {
  if (next_ == nullptr) return {};
  const std::unique_ptr<RuleSet> before = std::exchange(set_, std::move(next_));
  Gates released = std::move(set_->released);
  for (const auto& each : before->all) {
    if (set_->Find(each->rule().name) == each) continue;
    if (each->gate() != nullptr) released.push_back(each->gate());
    RulePlace& place = each->place();
    const LockGuard lock(place.mutex);
    place.in_force = nullptr;
  }
  for (const auto& each : set_->all) {
    RulePlace& place = each->place();
    const LockGuard lock(place.mutex);
    if (place.in_force == each.get()) continue;
    if (anew && each->rule().enabled) {
      place.file->Restart(place.serial);
      ++place.series;
    }
    place.in_force = each.get();
  }
  KillPoint("rule-counts-begun");
  for (size_t op = 0; op < kFaultOpCount; ++op) {
    const BadBlocks::Range bounds = set_->reach.Bounds(op);
    bounds_[op].first.store(bounds.first, std::memory_order_relaxed);
    bounds_[op].last.store(bounds.last, std::memory_order_relaxed);
  }
  armed_.store(!set_->on.empty(), std::memory_order_relaxed);
  live_.store(set_.get(), std::memory_order_release);
  RcuSynchronize();  // nobody is in the set before any more
  Undo();            // places of rules that there are no more
  KillPoint("rules-replaced");
  return released;
}

void FaultRuleTable::BeginSeries() {
  for (const auto& [name, place] : places_) {
    FaultFile::Page& page = place->page();
    page.begun.store(page.counts.seen.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
}

// --- What outlives the process -----------------------------------------------------------------

absl::Status FaultRuleTable::Adopt(const FaultRules& rules, UniqueFd memfd) {
  if (memfd.valid()) {
    absl::StatusOr<std::unique_ptr<FaultFile>> file = FaultFile::Adopt(keeper_, std::move(memfd));
    if (!file.ok()) return file.status();
    file_ = *std::move(file);
    AdoptPlaces();
  }
  if (absl::Status prepared = Prepare(rules); !prepared.ok()) return prepared;
  for (const auto& [name, place] : places_) {
    file_->TakeBackPending(place->serial);
  }
  Replace(/*anew=*/false);
  return absl::OkStatus();
}

// Of two of a name the newer counts: the other one was being removed.
void FaultRuleTable::AdoptPlaces() {
  for (const auto& [name, serial] : file_->Rules()) {
    const auto place = std::make_shared<RulePlace>(file_, serial);
    const auto [at, added] = places_.emplace(name, place);
    if (added) continue;
    at->second->removed = true;
    at->second = place;
  }
}

void FaultRuleTable::GiveBack() {
  if (file_ != nullptr) file_->GiveBack();
}

// --- What has been counted ---------------------------------------------------------------------

const RulePlace* FaultRuleTable::PlaceOf(std::string_view rule) const {
  const auto place = places_.find(rule);
  return place == places_.end() ? nullptr : place->second.get();
}

std::optional<FaultRuleTable::Counts> FaultRuleTable::CountsOf(std::string_view rule) const {
  const RulePlace* const place = PlaceOf(rule);
  if (place == nullptr) return std::nullopt;
  const FaultFile::Page& page = place->page();
  return Counts{.seen = page.counts.seen.load(std::memory_order_relaxed),
                .hits = page.counts.hits.load(std::memory_order_relaxed),
                .pending = page.pending.hits.load(std::memory_order_relaxed),
                .serial = place->serial};
}

std::vector<FaultFile::Event> FaultRuleTable::EventsOf(std::string_view rule) const {
  const auto found = places_.find(rule);
  if (found == places_.end()) return {};
  RulePlace& place = *found->second;
  const LockGuard lock(place.mutex);
  const FaultFile::Page& page = place.page();
  const uint64_t noted = page.noted.load(std::memory_order_relaxed);
  std::vector<FaultFile::Event> events;
  const uint64_t oldest = noted - std::min(noted, FaultFile::Page::kEvents);
  for (uint64_t at = std::max<uint64_t>(oldest, page.intact); at < noted; ++at) {
    events.push_back(page.events[at % FaultFile::Page::kEvents]);
  }
  return events;
}

std::optional<std::string> FaultRuleTable::NameOf(uint32_t serial) const {
  for (const auto& [name, place] : places_) {
    if (place->serial == serial) return name;
  }
  return std::nullopt;
}

}  // namespace rnullfs
