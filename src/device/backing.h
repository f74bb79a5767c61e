// Where do the bytes go?  To the page store, through the write cache if there is one, or nowhere:
// a disk without memory backing reads as zeros and forgets what is written.  Where they come from
// is a view, so that what is only read needs nothing else.
//
// Thread safety: all calls from any thread.  What it is made of outlives it.
// Units: bytes; ranges lie within the disk.  Errors: positive errno.
#ifndef RNULLFS_DEVICE_BACKING_H_
#define RNULLFS_DEVICE_BACKING_H_

#include <cstdint>

#include "rnullfs/command.h"
#include "rnullfs/medium.h"
#include "rnullfs/view.h"

namespace rnullfs {

class Backing {
 public:
  // As `config` wants it, from what the medium has been prepared with.
  Backing(const DeviceConfig& config, const Medium& medium);
  Backing(const Backing&) = delete;
  Backing& operator=(const Backing&) = delete;

  // Whether Read() can be used: there is one place where a block's bytes are.
  bool direct() const { return cache_ == nullptr; }
  // Whether there are bytes at all, so that Copy() has something to copy.
  bool stored() const { return store_ != nullptr; }

  // Hands the range's memory to `sink` while it holds still; after an error `sink` was not called.
  int Read(uint64_t offset, uint64_t length, View::Sink sink) const {
    return view_->Read(offset, length, sink);
  }

  // Copies the range, which is stored().
  int Copy(uint64_t offset, uint64_t length, char* to) const;

  // Does what the command says, if that is not to read.
  int Change(const Command& command) const;

  // As a View's.
  uint64_t NextData(uint64_t offset) const;
  uint64_t NextHole(uint64_t offset) const;

 private:
  template <typename Store>
  int ChangeIn(Store& store, const Command& command) const;
  int WriteCached(const Command& command) const;

  PageStore* const store_;   // null: not memory backed
  WriteCache* const cache_;  // null: none
  HoleView hole_;            // without memory
  View* const view_;
  const bool fua_;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_BACKING_H_
