// A disk with a few uncertain units, and programs that check it: deterministic ones, made up at
// random.
#ifndef RNULLFS_TESTS_CTL_CHECKER_H_
#define RNULLFS_TESTS_CTL_CHECKER_H_

#include <cstdint>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/mix.h"
#include "ctl/frontier.h"

namespace rnullfs {

// By unit, the version.
using DiskState = std::vector<uint32_t>;

class UncertainDisk {
 public:
  // How many versions each unit has.
  explicit UncertainDisk(std::vector<uint32_t> versions) : versions_(std::move(versions)) {}
  static UncertainDisk Random(std::mt19937_64& random) {
    std::vector<uint32_t> versions(random() % 7);
    for (uint32_t& each : versions) each = 2 + static_cast<uint32_t>(random() % 3);
    return UncertainDisk(std::move(versions));
  }

  size_t units() const { return versions_.size(); }
  uint32_t versions(size_t unit) const { return versions_[unit]; }
  // Their places on the disk; what lies between is certain.
  static uint64_t PlaceOf(size_t unit) { return 3 + 7 * unit; }
  static size_t UnitAt(uint64_t place) { return place / 7; }
  static bool IsUncertain(uint64_t place, size_t units) {
    return place % 7 == 3 && UnitAt(place) < units;
  }

  std::unordered_map<uint64_t, uint32_t> Versions() const {
    std::unordered_map<uint64_t, uint32_t> versions;
    for (size_t i = 0; i < units(); ++i) versions[PlaceOf(i)] = versions_[i];
    return versions;
  }
  std::vector<DiskState> States() const {
    std::vector<DiskState> states;
    DiskState state(units(), 0);
    for (;;) {
      states.push_back(state);
      size_t unit = 0;
      while (unit < units() && ++state[unit] == versions_[unit]) state[unit++] = 0;
      if (unit == units()) return states;
    }
  }
  DiskState StateOf(const Assignment& assignment) const {
    DiskState state(units(), 0);
    for (const auto& [place, version] : assignment) state[UnitAt(place)] = version;
    return state;
  }

 private:
  std::vector<uint32_t> versions_;
};

// What it does next depends on all that it has read, and on nothing else.
class Checker {
 public:
  struct Result {
    std::vector<uint64_t> consulted;  // places that were read before they were overwritten
    bool failed;
  };
  explicit Checker(uint64_t seed) : seed_(seed) {}

  Result Check(const UncertainDisk& disk, const DiskState& state) const {
    Result result = {};
    uint64_t known = Mix(seed_);
    std::set<uint64_t> overwritten;
    std::set<uint64_t> seen;
    for (int step = 0; step < 12; ++step) {
      known = Mix(known + kGoldenGamma);
      const uint64_t action = known % 16;
      const size_t unit = disk.units() == 0 ? 0 : Mix(known) % disk.units();
      const bool uncertain = disk.units() > 0 && action < 13;
      const uint64_t place = UncertainDisk::PlaceOf(unit) + (uncertain ? 0 : 1);
      if (action == 15) break;
      if (action >= 10 && uncertain) {
        overwritten.insert(place);
        continue;
      }
      if (overwritten.contains(place)) continue;  // it knows what is there
      if (seen.insert(place).second) result.consulted.push_back(place);
      if (uncertain) known = Mix(known + state[unit]);
    }
    result.failed = known % 3 == 0;
    return result;
  }

 private:
  const uint64_t seed_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_CTL_CHECKER_H_
