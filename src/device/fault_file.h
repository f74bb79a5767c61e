// What is counted of a disk's fault rules, in memory that outlives the process: a page for each
// rule, found by its name, and for a rule that fires once for each sector a bit for each of them.
//
//     offset
//     0                      header: the newest serial
//     serial x 4 KiB         the page of the rule with that serial
//     1 TiB + serial x 128 GiB   its sectors, a bit each
//
// It is one sparse memfd.  A serial is never used again, so that it tells a rule from all others
// that the disk ever had.
//
// Thread safety: Make() one at a time; Restart() and Mark() of a serial, too; the rest from any
// thread.
// Units: sectors of 512 bytes.  Errors: ENOSPC when there is no memory.
#ifndef RNULLFS_DEVICE_FAULT_FILE_H_
#define RNULLFS_DEVICE_FAULT_FILE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/fault_rule.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/rule_attributes.h"
#include "rnullfs/unique_fd.h"
#include "store/arena.h"

namespace rnullfs {

class FaultFile {
 public:
  static constexpr uint32_t kSerialMax = (uint32_t{1} << 25) - 1;

  // Something that a rule has done.
  struct Event {
    uint64_t sequence;  // of the newest change of the disk
    uint64_t sector;
    uint64_t sectors;
    uint64_t detail;  // the errno, the nanoseconds; sectors that arrive, the amount, where it went
    uint8_t op;       // of FaultOps, a bit
    FaultAction action;
  };

  // Of requests.
  struct Counts {
    std::atomic<uint64_t> seen;    // that matched
    std::atomic<uint64_t> passed;  // that `space` has let pass
    std::atomic<uint64_t> asked;   // that `interval` has counted
    std::atomic<uint64_t> hits;    // for which it has fired
  };

  // All zeros are a rule that has done nothing yet, but for the name.
  struct Page {
    static constexpr uint64_t kEvents = 64;
    char name[72];  // ended by a NUL; empty: nobody's
    Counts counts;
    Counts pending;                // of these, for requests that are not answered yet
    std::atomic<uint64_t> noted;   // events there have been
    std::atomic<uint64_t> intact;  // those before this one are not there any more
    std::atomic<uint64_t> begun;   // `seen` when chance began anew
    Event events[kEvents];         // number n at n % kEvents
  };
  static_assert(sizeof(Page) <= 4096 && kRuleNameMax < sizeof(Page::name));

  static absl::StatusOr<std::unique_ptr<FaultFile>> Create(std::string_view name,
                                                           MemfdKeeper& keeper);
  // What a process left that is gone.  EINVAL when it is no such file.
  static absl::StatusOr<std::unique_ptr<FaultFile>> Adopt(MemfdKeeper& keeper, UniqueFd memfd);
  // Nobody needs it any more, nor holds it elsewhere.
  void GiveBack();

  // A page for a rule, with a new serial.
  absl::StatusOr<uint32_t> Make(std::string_view rule);
  void Free(uint32_t serial);
  // Those that are not free, by serial.
  std::vector<std::pair<std::string, uint32_t>> Rules() const;
  Page& page(uint32_t serial) const { return *reinterpret_cast<Page*>(arena_.At(PlaceOf(serial))); }

  // As if nothing had happened yet.
  void Restart(uint32_t serial);
  // Marks the sectors, of many the first so many; whether one of them was not.
  static constexpr uint64_t kMarkedMax = uint64_t{1} << 17;
  bool Mark(uint32_t serial, uint64_t first, uint64_t last) {
    return SetMarks(serial, first, last, true);
  }
  // What was counted of requests that are not answered has not been: its events are the last.
  void TakeBackPending(uint32_t serial);

 private:
  static constexpr uint64_t kPageSize = 4096;
  static constexpr uint64_t kMagic = 0x31544c4641554e52;  // "RNUAFLT1"
  static constexpr uint64_t kBits = uint64_t{1} << 40;
  static constexpr uint64_t kBitBytes = uint64_t{1} << 37;  // of a rule
  struct Header {
    uint64_t magic;
    std::atomic<uint64_t> serial;
  };

  bool SetMarks(uint32_t serial, uint64_t first, uint64_t last, bool set);
  FaultFile(MemfdKeeper& keeper, UniqueFd memfd) : keeper_(keeper), arena_(std::move(memfd)) {}
  static constexpr uint64_t PlaceOf(uint64_t serial) { return serial * kPageSize; }
  Header& header() const { return *reinterpret_cast<Header*>(arena_.At(0)); }

  MemfdKeeper& keeper_;
  mutable Arena arena_;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_FAULT_FILE_H_
