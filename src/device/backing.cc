#include "device/backing.h"

#include <cerrno>

#include "store/write_cache.h"

namespace rnullfs {

Backing::Backing(const DeviceConfig& config, const Medium& medium)
    : store_(config.memory_backed ? medium.store() : nullptr),
      cache_(config.memory_backed ? medium.cache() : nullptr),
      hole_(config.size << 20),
      view_(store_ != nullptr ? static_cast<View*>(store_) : &hole_),
      fua_(config.fua) {}

int Backing::Copy(uint64_t offset, uint64_t length, char* to) const {
  if (cache_ != nullptr) return cache_->Read(offset, length, to);
  return store_->CopyOut(offset, length, to);
}

int Backing::Change(const Command& command) const {
  if (store_ == nullptr) return 0;
  return cache_ == nullptr ? ChangeIn(*store_, command) : ChangeIn(*cache_, command);
}

template <typename Store>
int Backing::ChangeIn(Store& store, const Command& command) const {
  switch (command.op) {
    case Op::kRead:  // changes nothing
      return 0;
    case Op::kFlush:
      return cache_ == nullptr ? 0 : cache_->Flush();
    case Op::kWrite:
      return cache_ == nullptr ? store_->Write(command.offset, command.length, command.data)
                               : WriteCached(command);
    case Op::kDiscard:
      return store.Discard(command.offset, command.length);
    case Op::kWriteZeroes:
      return store.WriteZeroes(command.offset, command.length);
    case Op::kAllocate:
      return store.Allocate(command.offset, command.length);
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
