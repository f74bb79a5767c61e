// Where do the bytes go?  To what is on top of the medium's stores, or nowhere: a disk without
// memory backing reads as zeros and forgets what is written.  Where they come from is a view, so
// that what is only read needs nothing else.
//
// Thread safety: all calls from any thread.  What it is made of outlives it.
// Units: bytes; ranges lie within the disk.  Errors: positive errno.
#ifndef RNULLFS_DEVICE_BACKING_H_
#define RNULLFS_DEVICE_BACKING_H_

#include <cstdint>

#include "damage/harm.h"
#include "device/power_supply.h"
#include "rnullfs/command.h"
#include "rnullfs/medium.h"
#include "rnullfs/store.h"

namespace rnullfs {

class Backing {
 public:
  // As `config` wants it, from what the medium has been prepared with.
  Backing(const DeviceConfig& config, const Medium& medium, const PowerSupply& supply);
  Backing(const Backing&) = delete;
  Backing& operator=(const Backing&) = delete;

  // Whether there are bytes at all, so that there is something to copy.
  bool stored() const { return medium_ != nullptr; }

  // What the disk reads as.
  View& view() const { return medium_ == nullptr ? static_cast<View&>(hole_) : medium_->shown(); }

  // Does what the command says, if that is not to read, or what the harms make of it; EIO without
  // power.
  int Change(const Command& command, const Harms* harms = nullptr) const;
  // What it reads as, or what the harms make of that.
  int CopyOut(const Command& command, char* to, const Harms& harms) const;

 private:
  int ChangeHarmed(const Command& command, const Harms& harms) const;
  int Write(Store& top, const Command& command) const;

  const Medium* const medium_;  // null: not memory backed
  mutable HoleView hole_;       // without memory, however large; to read it is not const
  const bool fua_;
  const PowerSupply& supply_;
};

}  // namespace rnullfs

#endif  // RNULLFS_DEVICE_BACKING_H_
