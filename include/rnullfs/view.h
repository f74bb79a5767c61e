// A view: what a disk reads as.  The bytes that are stored now are one (PageStore), and so is
// whatever can be read and not written.
//
// Thread safety: all calls from any thread at once.
// Units: bytes, any alignment.  Errors: positive errno.
#ifndef RNULLFS_VIEW_H_
#define RNULLFS_VIEW_H_

#include <sys/uio.h>

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"

namespace rnullfs {

class View {
 public:
  using Sink = absl::FunctionRef<void(absl::Span<const iovec>)>;
  virtual ~View() = default;

  // Hands [offset, offset + length), which must lie within the view, to `sink` in one call; the
  // memory holds still while `sink` runs, and is valid only then.  Whoever has what `sink` got may
  // destroy the view.  0; or an errno, and `sink` has not been called.
  virtual int Read(uint64_t offset, uint64_t length, Sink sink) = 0;

  // The same, copied to `to`.
  virtual int CopyOut(uint64_t offset, uint64_t length, char* to);

  // The first offset >= `offset` inside data (SEEK_DATA) or a hole (SEEK_HOLE, where the end counts
  // as one); size_bytes() when there is none.
  virtual uint64_t NextData(uint64_t offset) const = 0;
  virtual uint64_t NextHole(uint64_t offset) const = 0;

  virtual uint64_t size_bytes() const = 0;
};

// Nothing but zeros: a disk that stores nothing.
class HoleView final : public View {
 public:
  explicit HoleView(uint64_t size_bytes) : size_bytes_(size_bytes) {}
  int Read(uint64_t offset, uint64_t length, Sink sink) override;
  uint64_t NextData(uint64_t offset) const override;
  uint64_t NextHole(uint64_t offset) const override;
  uint64_t size_bytes() const override { return size_bytes_; }

 private:
  const uint64_t size_bytes_;
};

}  // namespace rnullfs

#endif  // RNULLFS_VIEW_H_
