// What a power cut at a moment of the history may have left, unit by unit.
//
// A unit is what the disk writes wholly or not at all.  Each holds what it was last when it could
// no more be lost, or anything newer that had been sent before the cut; one without the other.  A
// change is durable when a flush has been answered that was counted after the change had been
// answered, or when it was a write with FUA and has been answered itself, both without an error. (A
// flush does not cover what was under way when it came.)  So what was durable before something was
// sent is never missing where that is there: each combination of units is a state that may have
// been.
//
// A cut is called by a number of the log (request_log.h).  Of a flush, or a write with FUA, it is
// the last moment before that was answered, so that everything which it covers may yet be lost, and
// what was sent meanwhile may be there; of anything else the moment at which it was counted.  The
// states at the end of the stretch between two flushes have those of each moment in it.  Of what
// was answered between the same two numbers it is not known in which order; that of the numbers is
// taken.
//
// Thread safety: immutable.  The past outlives it.
// Errors: as store.h; ESTALE when the history has forgotten what is needed.
#ifndef RNULLFS_CRASH_CUT_H_
#define RNULLFS_CRASH_CUT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "past/past.h"
#include "rnullfs/memory_limit.h"
#include "store/memory_account.h"

namespace rnullfs {

// What a unit was at a moment; `hash` is the same for the same contents.
struct CrashVersion {
  uint64_t moment;
  uint64_t hash;
};

// Of what a unit has.
uint64_t HashOfUnit(const char* contents, uint32_t bytes);

struct CrashUnit {
  uint64_t index;                      // its place on the disk, in units
  std::vector<CrashVersion> versions;  // the durable one first; no two are the same
  // Numbers of the changes that may be lost, in order, and the version that each has made.
  std::vector<std::pair<uint64_t, uint32_t>> changes;

  uint32_t newest() const { return changes.empty() ? 0 : changes.back().second; }
  uint64_t NewestHash() const { return versions[newest()].hash; }
  void SetDurable(const CrashVersion& version);
  void Add(const CrashVersion& version);  // made by the change that its moment is
};

class CrashCut {
 public:
  // 0, or why there is no such cut: ESTALE; EAGAIN while something has been counted that is not in
  // the log yet; E2BIG where too much may be lost to keep track of; ENOSPC.
  static int Make(Past& past, uint64_t number, uint32_t unit_bytes, MemoryLimit& memory,
                  std::shared_ptr<const CrashCut>& cut);

  uint64_t number() const { return number_; }
  uint32_t unit_bytes() const { return unit_bytes_; }
  // Nothing newer is in any of its states; all of it that is in no unit below is there.
  uint64_t moment() const { return moment_; }
  // Those of which it is not certain what they are, in order.
  const std::vector<CrashUnit>& units() const { return units_; }
  // The requests that may have been lost, wholly or in part, in order.
  const std::vector<LogEntry>& requests() const { return requests_; }
  const LogEntry* FindRequest(uint64_t number) const;
  const CrashUnit* FindUnit(uint64_t index) const;  // null: it is certain
  double states_log2() const;
  // Nothing can be added to it any more: neither is it now, nor is its request still under way.
  bool settled() const { return settled_; }
  // It is not known any more what was durable: what had been forgotten counts as that.
  bool forgotten() const { return forgotten_; }

 private:
  CrashCut(uint64_t number, uint32_t unit_bytes, MemoryLimit& memory)
      : number_(number), unit_bytes_(unit_bytes), account_(memory) {}
  int Charge();
  struct Window;
  struct Changes;
  bool Touches(const LogEntry& entry, uint64_t begin) const;
  Window WindowOf(const RequestLog& log, uint64_t oldest) const;
  int AddPage(Past& past, uint64_t page, const Window& window, const Changes& changes);

  const uint64_t number_;
  const uint32_t unit_bytes_;
  MemoryAccount account_;
  uint64_t steps_ = 0;
  uint64_t moment_ = 0;
  bool settled_ = false;
  bool forgotten_ = false;
  std::vector<CrashUnit> units_;
  std::vector<LogEntry> requests_;
};

}  // namespace rnullfs

#endif  // RNULLFS_CRASH_CUT_H_
