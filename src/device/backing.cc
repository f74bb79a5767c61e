#include "device/backing.h"

#include <cerrno>

#include "store/write_cache.h"

namespace rnullfs {

Backing::Backing(const DeviceConfig& config, const Medium& medium)
    : store_(config.memory_backed ? medium.store() : nullptr),
      cache_(config.memory_backed ? medium.cache() : nullptr),
      hole_(config.size << 20),
      view_(store_ != nullptr ? static_cast<View*>(store_) : &hole_),
      discards_(config.discard && config.memory_backed),
      fua_(config.fua) {}

int Backing::Copy(uint64_t offset, uint64_t length, char* to) const {
  if (cache_ != nullptr) return cache_->Read(offset, length, to);
  return store_->CopyOut(offset, length, to);
}

int Backing::Change(const Command& command) const {
  if (store_ == nullptr) return 0;
  return cache_ == nullptr ? ChangeStore(command) : ChangeCache(command);
}

int Backing::ChangeStore(const Command& command) const {
  switch (command.op) {
    case Op::kRead:  // changes nothing
    case Op::kFlush:
      return 0;
    case Op::kWrite:
      return store_->Write(command.offset, command.length, command.data);
    case Op::kDiscard:
      return store_->Discard(command.offset, command.length);
    case Op::kWriteZeroes:
      return store_->WriteZeroes(command.offset, command.length);
    case Op::kAllocate:
      return store_->Allocate(command.offset, command.length);
  }
  return EINVAL;
}

int Backing::ChangeCache(const Command& command) const {
  switch (command.op) {
    case Op::kRead:
      return 0;
    case Op::kFlush:
      return cache_->Flush();
    case Op::kWrite:
      return WriteCached(command);
    case Op::kDiscard:
      return cache_->Discard(command.offset, command.length);
    case Op::kWriteZeroes:
      return cache_->WriteZeroes(command.offset, command.length);
    case Op::kAllocate:
      return cache_->Allocate(command.offset, command.length);
  }
  return EINVAL;
}

// The block layer makes a write and a flush of a FUA write where the disk has no FUA.
int Backing::WriteCached(const Command& command) const {
  if (command.fua && fua_) {
    return cache_->WriteThrough(command.offset, command.length, command.data);
  }
  const int error = cache_->Write(command.offset, command.length, command.data);
  return error == 0 && command.fua ? cache_->Flush() : error;
}

uint64_t Backing::NextData(uint64_t offset) const {
  return cache_ != nullptr ? cache_->NextData(offset) : view_->NextData(offset);
}

uint64_t Backing::NextHole(uint64_t offset) const {
  return cache_ != nullptr ? cache_->NextHole(offset) : view_->NextHole(offset);
}

}  // namespace rnullfs
