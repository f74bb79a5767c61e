#include "device/backing.h"

#include <cerrno>

#include "rnullfs/rcu.h"

namespace rnullfs {
Backing::Backing(const DeviceConfig& config, const Medium& medium, const PowerSupply& supply)
    : medium_(config.memory_backed && medium.store() != nullptr ? &medium : nullptr),
      hole_(UINT64_MAX),
      fua_(config.fua),
      supply_(supply) {}

// Whoever puts something on top, or cuts the power, waits until what had not seen it is done.
int Backing::Change(const Command& command) const {
  const RcuReadGuard guard;
  if (supply_.gone()) return EIO;
  if (medium_ == nullptr) return 0;
  Store& top = medium_->top();
  switch (command.op) {
    case Op::kRead:  // changes nothing
      return 0;
    case Op::kFlush:
      return top.Flush();
    case Op::kWrite:
      return Write(top, command);
    case Op::kDiscard:
      return top.Discard(command.offset, command.length);
    case Op::kWriteZeroes:
      return top.WriteZeroes(command.offset, command.length);
    case Op::kAllocate:
      return top.Allocate(command.offset, command.length);
  }
  return EINVAL;
}

// The block layer makes a write and a flush of a FUA write where the disk has no FUA.
int Backing::Write(Store& top, const Command& command) const {
  if (command.fua && fua_) return top.WriteThrough(command.offset, command.length, command.data);
  const int error = top.Write(command.offset, command.length, command.data);
  return error == 0 && command.fua ? top.Flush() : error;
}

}  // namespace rnullfs
