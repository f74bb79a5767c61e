// A disk as it was at a moment: a page's oldest version that ended after it, else what the page is.
//
// Thread safety: all calls from any thread.  The past outlives it.
// Errors: ESTALE when the history has the moment no more; else as view.h.
#ifndef RNULLFS_PAST_MOMENT_VIEW_H_
#define RNULLFS_PAST_MOMENT_VIEW_H_

#include <cstdint>

#include "rnullfs/view.h"

namespace rnullfs {

class IoVector;
class Parts;
class Past;

class MomentView final : public View {
 public:
  // `held`: so that nothing of it goes.
  MomentView(Past& past, uint64_t moment, uint64_t size_bytes, bool held)
      : past_(past), moment_(moment), size_bytes_(size_bytes), held_(held) {}

  int Read(uint64_t offset, uint64_t length, Sink sink) override;
  uint64_t NextData(uint64_t offset) const override;
  uint64_t NextHole(uint64_t offset) const override;
  uint64_t size_bytes() const override { return size_bytes_; }

 private:
  // Whether a page was data or a hole, or is now what it was.
  enum class State { kData, kHole, kAsNow };

  uint64_t RunOfNow(uint64_t begin, uint64_t end) const;
  uint64_t NextOfNow(uint64_t begin, uint64_t end) const;
  int Gather(uint64_t begin, uint64_t end, Parts& now, uint64_t now_end, IoVector& to) const;
  int GatherVersion(uint64_t begin, uint64_t end, IoVector& to) const;
  uint64_t NextNow(uint64_t offset, bool data) const;
  State StateOf(uint64_t page) const;

  Past& past_;
  const uint64_t moment_;
  const uint64_t size_bytes_;
  const bool held_;
};

}  // namespace rnullfs

#endif  // RNULLFS_PAST_MOMENT_VIEW_H_
