#include "device/backing.h"

#include <cerrno>

#include "damage/damage.h"
#include "rnullfs/rcu.h"

namespace rnullfs {
Backing::Backing(const DeviceConfig& config, const Medium& medium, const PowerSupply& supply)
    : medium_(config.memory_backed && medium.store() != nullptr ? &medium : nullptr),
      hole_(UINT64_MAX),
      fua_(config.fua),
      supply_(supply) {}

// Whoever puts something on top, or cuts the power, waits until what had not seen it is done.
int Backing::Change(const Command& command, const Harms* harms) const {
  const RcuReadGuard guard;
  if (supply_.gone()) return EIO;
  if (medium_ == nullptr) return 0;
  if (harms != nullptr && !harms->empty()) return ChangeHarmed(command, *harms);
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

int Backing::ChangeHarmed(const Command& command, const Harms& harms) const {
  Damage& damage = medium_->damage();
  switch (command.op) {
    case Op::kFlush:
      return damage.Flush(harms.list.front());
    case Op::kDiscard:
      return damage.Discard(command.offset, command.length, &harms);
    case Op::kWriteZeroes:
      return damage.WriteZeroes(command.offset, command.length, &harms);
    case Op::kWrite:
      break;
    default:  // no harm comes to these
      return EINVAL;
  }
  if (command.fua && fua_) {
    return damage.WriteThrough(command.offset, command.length, command.data, &harms);
  }
  const int error = damage.Write(command.offset, command.length, command.data, &harms);
  return error == 0 && command.fua ? damage.Flush() : error;
}

int Backing::CopyOut(const Command& command, char* to, const Harms& harms) const {
  if (harms.empty() || medium_ == nullptr) {
    return view().CopyOut(command.offset, command.length, to);
  }
  const RcuReadGuard guard;  // what was before is of what is on top
  return medium_->damage().CopyOutHarmed(command.offset, command.length, to, harms);
}

// The block layer makes a write and a flush of a FUA write where the disk has no FUA.
int Backing::Write(Store& top, const Command& command) const {
  if (command.fua && fua_) return top.WriteThrough(command.offset, command.length, command.data);
  const int error = top.Write(command.offset, command.length, command.data);
  return error == 0 && command.fua ? top.Flush() : error;
}

}  // namespace rnullfs
