// Which states of a cut are yet to be judged, so that in the end all of them have been.
//
// A program that is deterministic does the same with all states that agree in the uncertain units
// that it reads before it overwrites them.  So a run on one state stands for all of those; and for
// each unit that it has read and had not been told of, what is left are the states that agree in
// what it had read before and have another version of that unit.  Runs stand for disjoint sets of
// states, and when none is left they stand for all.  (Units, not the order of reads, are what a set
// is described by: several threads may read.)
//
// Those that stand for the most states come first, so that a search which does not come to its end
// has seen as much as it could.
//
// Thread safety: none; whoever has it, locks.
#ifndef RNULLFS_CTL_FRONTIER_H_
#define RNULLFS_CTL_FRONTIER_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rnullfs {

// Unit -> version; units that it does not name have their durable one, 0.
using Assignment = std::map<uint64_t, uint32_t>;

class Frontier {
 public:
  // How many versions each uncertain unit has; two or more.
  explicit Frontier(std::unordered_map<uint64_t, uint32_t> versions);

  // A state to be judged next; none when no more is waiting.
  std::optional<Assignment> Next();
  // It has been, and has read these (of which some may have been assigned, or be certain).
  void Done(const Assignment& assignment, std::span<const uint64_t> consulted);

  // Of all legal states the part that is known by the runs so far.
  double share() const { return ended() ? 1 : std::min(share_, 1.0); }
  bool ended() const { return next_.empty() && under_way_ == 0; }

 private:
  // What a run was told, and what it read beyond that, in order.
  using Path = std::vector<std::pair<uint64_t, uint32_t>>;
  // The first `length` of a path, but that the last of these has another version.  Of all that a
  // path leaves only the largest is queued: the one behind it, which is not larger, takes its
  // place.
  struct Set {
    std::shared_ptr<const Path> path;
    size_t length;
    uint32_t version;
    double states_log2;  // below 0: of all states
    bool operator<(const Set& other) const { return states_log2 < other.states_log2; }
  };

  double Log2VersionsOf(uint64_t unit) const;
  void QueueBehind(Set set);

  const std::unordered_map<uint64_t, uint32_t> versions_;
  std::priority_queue<Set> next_;
  size_t under_way_ = 0;
  double share_ = 0;
};

}  // namespace rnullfs

#endif  // RNULLFS_CTL_FRONTIER_H_
