// The power goes while somebody has the disk.
//
// How far a cut has come lies in a counter that outlives the process: who takes over goes on where
// it was, so that a cut within which a worker dies is one cut.  The counter also has the number of
// the cut, from which, and from the seed, comes what it keeps.

#include <atomic>
#include <cerrno>
#include <utility>

#include "base/kill_point.h"
#include "base/mix.h"
#include "past/past.h"
#include "rnullfs/disk.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr uint32_t kSectorBytes = 512;

enum class Phase : uint8_t {
  kNone,
  kBegun,    // no request changes anything any more
  kCounted,  // what will be lost has been counted, and may be gone
  kHeld,     // the power is off; somebody still has the disk
};

// Phase and number as one word.
constexpr int kPhaseBits = 2;
Phase PhaseOf(uint64_t state) { return static_cast<Phase>(state & ((1 << kPhaseBits) - 1)); }
uint64_t NumberOf(uint64_t state) { return state >> kPhaseBits; }
void Set(Cell& state, uint64_t number, Phase phase) {
  state.store(number << kPhaseBits | static_cast<uint64_t>(phase), std::memory_order_release);
}

}  // namespace

bool Disk::is_cut() const { return PhaseOf(counters_.cuts.state) == Phase::kHeld; }

bool Disk::IsBeingCut() const {
  const Phase phase = PhaseOf(counters_.cuts.state);
  return phase == Phase::kBegun || phase == Phase::kCounted;
}

// Whether there is power to be had.
absl::Status Disk::CheckPower() const {
  const std::atomic<bool>* const blackout = services_.device.blackout;
  if (blackout != nullptr && *blackout) {
    return Error(EBUSY, "power: that of all disks is being cut; try again");
  }
  if (!is_cut()) return absl::OkStatus();
  return Error(EBUSY, "power: it has been cut, and somebody has the disk still");
}

// What is not known cannot be lost.
absl::Status Disk::CheckCut() const {
  const bool loses = config_.power && config_.memory_backed && config_.cut_keeps != CutKeeps::kAll;
  if (!loses || medium_->cache() != nullptr || config_.history > 0) return absl::OkStatus();
  return Error(EINVAL,
               "power: a cut loses what no flush has covered, which this disk does not know; write "
               "a size (MiB) to history, or all to cut_keeps, with which nothing is lost, or give "
               "it a cache_size while it is off");
}

absl::Status Disk::Cut(uint64_t request) {
  CutCounters& cuts = counters_.cuts;
  if (!config_.power || (request != 0 && cuts.request == request)) return absl::OkStatus();
  if (!IsBeingCut()) {
    cuts.request.store(request);
    Set(cuts.state, NumberOf(cuts.state) + 1, Phase::kBegun);
  }
  KillPoint("cut-begun");
  return FinishCut();
}

absl::Status Disk::FinishCut() {
  CutCounters& cuts = counters_.cuts;
  const uint64_t number = NumberOf(cuts.state);
  device_->Cut();
  const PowerCut cut = {.keeps = config_.memory_backed ? config_.cut_keeps : CutKeeps::kAll,
                        .seed = Mix(counters_.random.seed + number * kGoldenGamma),
                        .block_sectors = config_.blocksize / kSectorBytes};
  if (PhaseOf(cuts.state) == Phase::kBegun) {
    cuts.count.store(number);
    NoteLoss(medium_->WhatIsLost(cut));
    Set(cuts.state, number, Phase::kCounted);
    KillPoint("cut-counted");
  }
  const int error = medium_->Lose(cut);
  KillPoint("cut-made");
  config_.power = false;
  Set(cuts.state, number, Phase::kHeld);
  KillPoint("cut-held");
  if (error == 0) return absl::OkStatus();
  return Error(
      ENOSPC,
      "power: it has been cut, but for want of memory not all that no flush had covered is "
      "lost, or kept, as cut_keeps has it; raise memory_limit");
}

void Disk::NoteLoss(const CutLoss& loss) {
  counters_.cuts.lost_requests.store(loss.requests);
  counters_.cuts.lost_sectors.store(loss.sectors);
  counters_.cuts.lost_bytes.store(loss.sectors * kSectorBytes);
  counters_.cuts.forgotten.store(loss.forgotten);
}

void Disk::HoldCut() { Set(counters_.cuts.state, NumberOf(counters_.cuts.state), Phase::kHeld); }

void Disk::EndCut() {
  if (is_cut()) SwitchOff();
}

void Disk::ForgetCut() {
  Cell& state = counters_.cuts.state;
  if (PhaseOf(state) != Phase::kNone) Set(state, NumberOf(state), Phase::kNone);
}

}  // namespace rnullfs
