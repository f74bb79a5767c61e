// Where do the bytes go?  To the write cache, if there is one, or the page store, or nowhere: a
// disk without memory backing reads as zeros and forgets what is written.  Where they come from is
// a view, so that what is only read needs nothing else.
//
// Thread safety: all calls from any thread.  What it is made of outlives it.
// Units: bytes; ranges lie within the disk.  Errors: positive errno.
#ifndef RNULLFS_DEVICE_BACKING_H_
#define RNULLFS_DEVICE_BACKING_H_

#include <cstdint>

#include "rnullfs/command.h"
#include "rnullfs/medium.h"
#include "rnullfs/store.h"

namespace rnullfs {

class Backing {
 public:
  // As `config` wants it, from what the medium has been prepared with.
  Backing(const DeviceConfig& config, const Medium& medium);
  Backing(const Backing&) = delete;
  Backing& operator=(const Backing&) = delete;

  // Whether a read takes no copy: there is one place where a block's bytes are.
  bool direct() const { return direct_; }
  // Whether there are bytes at all, so that there is something to copy.
  bool stored() const { return store_ != nullptr; }

  // What the disk reads as.
  View& view() const { return view_; }

  // Does what the command says, if that is not to read.
  int Change(const Command& command) const;

 private:
  int Write(const Command& command) const;

  Store* const store_;  // what requests change; null: not memory backed
  const bool direct_;
  HoleView hole_;  // without memory
  View& view_;
  const bool fua_;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_BACKING_H_
