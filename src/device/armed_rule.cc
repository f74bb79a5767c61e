#include "device/armed_rule.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>
#include <utility>

#include "base/fnv.h"
#include "base/mix.h"
#include "config/sector_ranges.h"

namespace rnullfs {
namespace {

constexpr int64_t kNever = INT64_MAX / 4;  // something can still be added to it
constexpr uint64_t kUsec = 1'000;
constexpr uint64_t kMsec = 1'000'000;

// In (0, 1).
double Fraction(uint64_t bits) { return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53; }

// A log-normal distribution by its median and 99th percentile, two random numbers made a normal
// one by Box and Muller (1958).
double LogNormal(double median, double percentile99, uint64_t a, uint64_t b) {
  constexpr double kNormal99 = 2.3263478740408408;
  const double sigma = std::log(percentile99 / median) / kNormal99;
  const double normal =
      std::sqrt(-2 * std::log(Fraction(a))) * std::cos(2 * std::numbers::pi * Fraction(b));
  return median * std::exp(sigma * normal);
}

// Those of the ranges that the request has something of.
SectorRanges Within(const SectorRanges& ranges, const FaultRequest& request) {
  SectorRanges within;
  std::copy_if(ranges.begin(), ranges.end(), std::back_inserter(within),
               [&request](const BadBlocks::Range& range) {
                 return range.first <= request.last && request.first <= range.last;
               });
  return within;
}

uint64_t Count(std::atomic<uint64_t>& count) {
  return count.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

ArmedRule::ArmedRule(FaultRule rule, std::shared_ptr<RulePlace> place)
    : rule_(std::move(rule)),
      place_(std::move(place)),
      gate_(rule_.action == FaultAction::kHang ? std::make_shared<HangGate>() : nullptr),
      name_hash_(Fnv1a(kFnvBasis, rule_.name.data(), rule_.name.size())),
      lanes_(rule_.lanes) {}

bool ArmedRule::Matches(const FaultRequest& request) const {
  if ((OpsOf(rule_) & request.op) == 0) return false;
  // A sector arrives whole, or not at all.
  if (rule_.action == FaultAction::kTorn && request.first == request.last) return false;
  return rule_.sectors.empty() || !request.has_sectors() ||
         Touch(rule_.sectors, request.first, request.last);
}

void ArmedRule::Judge(const FaultRequest& request, FaultVerdict& verdict) {
  const LockGuard lock(place_->mutex);
  if (place_->in_force != this) return;
  if (Waits() && !request.may_wait) {
    verdict.busy = true;
    return;
  }
  FaultFile::Page& page = place_->page();
  RuleCount& count = verdict.counts.emplace_back(RuleCount{place_, place_->series});
  const uint64_t number = Count(page.counts.seen);
  if (IsDecided(request, verdict) || !Fires(request, number, count)) return;
  Count(page.counts.hits);
  count.hit = true;
  verdict.fired = true;
  Note(request, Do(request, number, verdict));
}

// Whether a rule before has taken from it what this one would do.
bool ArmedRule::IsDecided(const FaultRequest& request, const FaultVerdict& verdict) const {
  if (Waits()) return false;
  const bool harmed = !verdict.harms.empty();
  if (!IsSilent(rule_.action)) {
    return verdict.error != 0 || (rule_.when == FaultMoment::kBefore && harmed);
  }
  if (!harmed || verdict.fails_before()) return verdict.fails_before();
  return IsOfAll(rule_.action, request.op) || !HasSectorLeft(request, verdict.harms);
}

// Whether one of its sectors of the request has been left to it.
bool ArmedRule::HasSectorLeft(const FaultRequest& request, const Harms& harms) const {
  if (rule_.sectors.empty()) {
    for (uint64_t sector = request.first; sector <= request.last; ++sector) {
      if (harms.At(sector) == nullptr) return true;
    }
    return false;
  }
  for (const BadBlocks::Range& range : rule_.sectors) {
    const uint64_t last = std::min(range.last, request.last);
    for (uint64_t sector = std::max(range.first, request.first); sector <= last; ++sector) {
      if (harms.At(sector) == nullptr) return true;
    }
  }
  return false;
}

// Adds what is done to the verdict; returns what there is to note of it.
uint64_t ArmedRule::Do(const FaultRequest& request, uint64_t number, FaultVerdict& verdict) {
  if (rule_.action == FaultAction::kError) {
    verdict.error = static_cast<int>(rule_.error);
    verdict.when = rule_.when;
    verdict.rule = rule_.name;
    return rule_.error;
  }
  if (rule_.action == FaultAction::kHang) {
    verdict.gates.push_back(gate_);
    return 0;
  }
  if (IsSilent(rule_.action)) {
    return DetailOf(verdict.harms.list.emplace_back(HarmOf(request, number)));
  }
  const int64_t ready_nsec = request.now_nsec + verdict.delay_nsec;
  const int64_t nsec = DelayNsec(request, number);
  const int64_t begin_nsec = rule_.lanes == 0 ? ready_nsec : lanes_.Take(ready_nsec, nsec);
  verdict.delay_nsec = std::min(begin_nsec, kNever) - request.now_nsec + nsec;
  return static_cast<uint64_t>(nsec);
}

Harm ArmedRule::HarmOf(const FaultRequest& request, uint64_t number) const {
  return {.action = rule_.action,
          .rule = rule_.name,
          .sectors = Within(rule_.sectors, request),
          .op = request.op,
          .first = request.first,
          .last = request.last,
          .sequence = request.sequence,
          .seed = Mix(request.seed ^ name_hash_),
          .draw = Chance(request, number, 3),
          .part = rule_.torn,
          .acknowledged = rule_.acknowledged,
          .amount = rule_.corrupt,
          .shift = rule_.shift,
          .stored = rule_.stored,
          .disk_sectors = request.disk_sectors};
}

// For who reads it in `last`.
uint64_t ArmedRule::DetailOf(const Harm& harm) {
  switch (harm.action) {
    case FaultAction::kTorn:
      return harm.ArrivingCount();
    case FaultAction::kCorrupt:
      return uint64_t{harm.amount.bytes} << 32 | harm.amount.count;
    case FaultAction::kMisdirected:
      return harm.Elsewhere(harm.first);
    default:
      return 0;
  }
}

// In the order of the kernel's should_fail_ex().
bool ArmedRule::Fires(const FaultRequest& request, uint64_t number, RuleCount& count) {
  FaultFile::Counts& counts = place_->page().counts;
  const uint64_t hits = counts.hits.load(std::memory_order_relaxed);
  if (rule_.times >= 0 && hits >= static_cast<uint64_t>(rule_.times)) return false;
  if (number <= rule_.after) return false;
  if (rule_.space > counts.passed.load(std::memory_order_relaxed) + 1) {
    Count(counts.passed);
    count.passed = true;
    return false;
  }
  if (rule_.interval > 1) {
    count.asked = true;
    if (Count(counts.asked) % rule_.interval != 0) return false;
  }
  if (Scaled(Chance(request, number, 0), FaultRule::kChanceOfAll) >= rule_.probability) {
    return false;
  }
  return !rule_.once_per_sector || !request.has_sectors() || MarkSectors(request);
}

// Of its own sectors; whether there was one for which it had not fired.
bool ArmedRule::MarkSectors(const FaultRequest& request) const {
  if (rule_.sectors.empty()) {
    return place_->file->Mark(place_->serial, request.first, request.last);
  }
  bool any = false;
  for (const BadBlocks::Range& range : rule_.sectors) {
    const uint64_t first = std::max(range.first, request.first);
    const uint64_t last = std::min(range.last, request.last);
    if (first <= last && place_->file->Mark(place_->serial, first, last)) any = true;
  }
  return any;
}

void ArmedRule::Note(const FaultRequest& request, uint64_t detail) {
  FaultFile::Page& page = place_->page();
  const uint64_t at = Count(page.noted) - 1;
  page.events[at % FaultFile::Page::kEvents] = {
      .sequence = request.sequence,
      .sector = request.first,
      .sectors = request.has_sectors() ? request.last - request.first + 1 : 0,
      .detail = detail,
      .op = request.op,
      .action = rule_.action};
}

uint64_t ArmedRule::Chance(const FaultRequest& request, uint64_t number, uint64_t draw) const {
  const uint64_t n = number - place_->page().begun.load(std::memory_order_relaxed);
  return Mix(Mix(request.seed ^ name_hash_) + (n * 4 + draw) * kGoldenGamma);
}

int64_t ArmedRule::DelayNsec(const FaultRequest& request, uint64_t number) const {
  const FaultDelay& delay = rule_.delay;
  uint64_t nsec = delay.nsec;
  if (delay.kind == FaultDelay::Kind::kUniform) {
    nsec += Scaled(Chance(request, number, 1), delay.until_nsec - delay.nsec + 1);
  } else if (delay.kind == FaultDelay::Kind::kLogNormal) {
    const double drawn =
        LogNormal(static_cast<double>(delay.nsec), static_cast<double>(delay.until_nsec),
                  Chance(request, number, 1), Chance(request, number, 2));
    nsec = static_cast<uint64_t>(std::min(drawn, static_cast<double>(FaultDelay::kNsecMax)));
  }
  // A longer one that was drawn is a number that can be read.
  if (delay.kind != FaultDelay::Kind::kFixed && nsec >= kMsec) nsec -= nsec % kUsec;
  return static_cast<int64_t>(nsec);
}

}  // namespace rnullfs
