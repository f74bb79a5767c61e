// Which of its versions each unit has in a state that a power cut may leave: by a rule with a name,
// or by what somebody has listed.
//
//     none         nothing of what may be lost is there
//     all          all of it is
//     before-N     what was sent before the request with that number
//     without-N    all but that request
//     only-N       nothing but that request
//     torn-N-K     what was sent before it, and the first K of its sectors of 512 bytes
//     17           by chance, with that seed; each state may come
//
// Of what is there the newest counts.
//
// Thread safety: plain values and pure functions.
#ifndef RNULLFS_CRASH_CHOICE_H_
#define RNULLFS_CRASH_CHOICE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crash/cut.h"

namespace rnullfs {

struct CrashChoice {
  enum class Kind : uint8_t {
    kNone,
    kAll,
    kBefore,
    kWithout,  // the requests of the list
    kOnly,     // these alone
    kTorn,
    kSeed,
    kUnits,  // those of the map; else the durable one, or the newest
  };
  Kind kind = Kind::kAll;
  uint64_t number = 0;   // a request's; a seed
  uint64_t sectors = 0;  // of a torn one
  std::vector<uint64_t> requests = {};
  std::map<uint64_t, uint32_t> units = {};  // index -> version
  bool others_newest = false;               // units that are not in the map
  std::string name = {};                    // that describes it, if one does

  // By its name.
  static std::optional<CrashChoice> Parse(std::string_view name);
  bool names_request() const {
    return kind != Kind::kNone && kind != Kind::kAll && kind != Kind::kSeed;
  }
  // Whether the cut has what it names.
  bool Fits(const CrashCut& cut) const;
  // For each of the cut's units, in their order.
  std::vector<uint32_t> Pick(const CrashCut& cut) const;

 private:
  bool Has(const CrashCut& cut, const CrashUnit& unit, uint64_t change) const;
};

}  // namespace rnullfs

#endif  // RNULLFS_CRASH_CHOICE_H_
