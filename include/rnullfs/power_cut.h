// A power cut: what it leaves of what no flush had covered.
//
// Each unit of a disk comes back as what the last flush has covered, or as something newer that was
// sent before the cut (docs/decisions.md): `none` keeps nothing newer, `all` everything, `random`
// each request or not, `torn` also parts of requests, by blocks.  Whether something is kept is a
// function of the seed and of what it is, so that who goes on after a death within a cut decides
// alike, and the same seed and the same requests leave the same.
//
// Thread safety: plain values and pure functions.
// Units: sectors of 512 bytes.
#ifndef RNULLFS_POWER_CUT_H_
#define RNULLFS_POWER_CUT_H_

#include <cstdint>

namespace rnullfs {

// Of what no flush has covered (`cut_keeps`).
enum class CutKeeps : uint8_t {
  kNone = 0,
  kAll = 1,     // the disk goes, and has lost nothing
  kRandom = 2,  // some requests
  kTorn = 3,    // some requests, and of some only blocks
};

struct PowerCut {
  CutKeeps keeps = CutKeeps::kNone;
  uint64_t seed = 0;
  uint32_t block_sectors = 8;  // of a block, which a disk writes wholly or not at all

  // Whether a sector of the change with that number has arrived.
  bool KeepsChanged(uint64_t change, uint64_t sector) const;
  // The same where it is not known which changes there were: block by block.
  bool KeepsCached(uint64_t sector) const;

  bool operator==(const PowerCut&) const = default;
};

// What is not as it would have been.
struct CutLoss {
  uint64_t requests = 0;
  uint64_t sectors = 0;
  // Changes that no flush had covered, and that stay, as the history has forgotten what was before.
  uint64_t forgotten = 0;
};

}  // namespace rnullfs

#endif  // RNULLFS_POWER_CUT_H_
