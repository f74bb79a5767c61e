#include "device/backing.h"

#include <cerrno>

#include "store/write_cache.h"

namespace rnullfs {
namespace {

Store* TopOf(const Medium& medium) {
  if (medium.cache() != nullptr) return medium.cache();
  return medium.store();
}

}  // namespace

Backing::Backing(const DeviceConfig& config, const Medium& medium)
    : store_(config.memory_backed ? TopOf(medium) : nullptr),
      direct_(store_ == nullptr || medium.cache() == nullptr),
      hole_(config.size << 20),
      view_(store_ != nullptr ? static_cast<View&>(*store_) : hole_),
      fua_(config.fua) {}

int Backing::Change(const Command& command) const {
  if (store_ == nullptr) return 0;
  switch (command.op) {
    case Op::kRead:  // changes nothing
      return 0;
    case Op::kFlush:
      return store_->Flush();
    case Op::kWrite:
      return Write(command);
    case Op::kDiscard:
      return store_->Discard(command.offset, command.length);
    case Op::kWriteZeroes:
      return store_->WriteZeroes(command.offset, command.length);
    case Op::kAllocate:
      return store_->Allocate(command.offset, command.length);
  }
  return EINVAL;
}

// The block layer makes a write and a flush of a FUA write where the disk has no FUA.
int Backing::Write(const Command& command) const {
  if (command.fua && fua_) {
    return store_->WriteThrough(command.offset, command.length, command.data);
  }
  const int error = store_->Write(command.offset, command.length, command.data);
  return error == 0 && command.fua ? store_->Flush() : error;
}

}  // namespace rnullfs
