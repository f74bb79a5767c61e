// null_blk as plainly as can be: one request after the other, on a disk, a cache and bad sectors
// that are nothing but arrays.  What the device is compared with.
//
// It knows what requests do, not how long they take.
#ifndef RNULLFS_TESTS_DEVICE_NULL_BLK_MODEL_H_
#define RNULLFS_TESTS_DEVICE_NULL_BLK_MODEL_H_

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "rnullfs/command.h"
#include "rnullfs/device_config.h"
#include "store/write_cache_model.h"

namespace rnullfs {

// Units: bytes, and sectors of 512 where it says so.
class NullBlkModel {
 public:
  static constexpr uint64_t kSector = 512;
  static constexpr uint64_t kPage = 4096;
  static constexpr uint64_t kEntrySectorsMax = 512;

  explicit NullBlkModel(uint64_t size_bytes)
      : size_bytes_(size_bytes), disk_(size_bytes, 0), bad_(size_bytes / kSector, false) {}

  // Also for one that is powered: what is cached is lost first.
  void PowerOn(const DeviceConfig& config) {
    config_ = config;
    dropped_ += disk_.cached_pages();
    disk_.PowerOn(config.memory_backed ? (config.cache_size << 20) / kPage : 0);
  }

  // What the command is answered with: an errno, and for a read what it gives, too.
  int Do(Command command, std::string* read) {
    if (const int error = Check(command); error != 0) return error;
    read->clear();
    if (command.length == 0 && command.op != Op::kFlush) return 0;
    const bool split = command.op == Op::kRead || command.op == Op::kWrite;
    const uint64_t most = config_.max_sectors * kSector / config_.blocksize * config_.blocksize;
    if (!split || most == 0) return DoPiece(command, read);
    int first_error = 0;
    const uint64_t end = command.offset + command.length;
    while (command.offset < end) {
      command.length = std::min(most, end - command.offset);
      const int error = DoPiece(command, read);
      if (first_error == 0) first_error = error;
      command.offset += command.length;
      if (command.data != nullptr) {
        command.data = static_cast<const char*>(command.data) + command.length;
      }
    }
    return first_error;
  }

  // Whether the sectors from `first` to `last` are bad from now on.
  void SetBad(uint64_t first, uint64_t last, bool bad) {
    std::fill(bad_.begin() + static_cast<int64_t>(first),
              bad_.begin() + static_cast<int64_t>(last) + 1, bad);
  }

  // As the file shows them.
  std::string BadBlocks() const {
    std::string text;
    for (uint64_t sector = 0; sector < bad_.size(); ++sector) {
      if (!bad_[sector]) continue;
      const uint64_t last = LastOfEntry(sector);
      absl::StrAppend(&text, sector, " ", last - sector + 1, "\n");
      sector = last;
    }
    return text;
  }

  // The first byte from `offset` on that is (not) data; the end if there is none.
  uint64_t Next(uint64_t offset, bool data) const {
    if (config_.memory_backed) return disk_.Next(offset, data);
    return data ? size_bytes_ : std::min(offset, size_bytes_);
  }

  uint64_t size_bytes() const { return size_bytes_; }
  uint64_t cached_pages() const { return disk_.cached_pages(); }
  uint64_t written_back() const { return disk_.written_back(); }
  uint64_t dropped() const { return dropped_; }

 private:
  int Check(Command& command) const {
    const uint64_t left = size_bytes_ - std::min(command.offset, size_bytes_);
    if (command.op == Op::kWrite && (command.offset > size_bytes_ || command.length > left)) {
      return ENOSPC;
    }
    command.length = std::min(command.length, left);
    const bool discards = config_.discard && config_.memory_backed;
    if (command.op == Op::kDiscard && !discards) return EOPNOTSUPP;
    const bool whole =
        command.offset % config_.blocksize == 0 && command.length % config_.blocksize == 0;
    return command.direct && command.length > 0 && !whole ? EINVAL : 0;
  }

  int DoPiece(Command piece, std::string* read) {
    int error = 0;
    if (piece.op != Op::kFlush && piece.op != Op::kAllocate) {
      const uint64_t good = GoodBytes(piece.offset, piece.length);
      if (good < piece.length) error = EIO;
      piece.length = good;
      if (good == 0 && error != 0) return error;
    }
    if (piece.op == Op::kRead) {
      *read += config_.memory_backed ? disk_.Read(piece.offset, piece.length)
                                     : std::string(piece.length, '\0');
    } else if (config_.memory_backed) {
      Change(piece);
    }
    return error;
  }

  void Change(const Command& piece) {
    const std::string_view data(static_cast<const char*>(piece.data),
                                piece.data == nullptr ? 0 : piece.length);
    switch (piece.op) {
      case Op::kRead:
        return;
      case Op::kWrite:
        if (piece.fua && config_.fua) return disk_.WriteThrough(piece.offset, data);
        disk_.Write(piece.offset, data);
        if (piece.fua) disk_.Flush();
        return;
      case Op::kFlush:
        return disk_.Flush();
      case Op::kDiscard:
        return disk_.Discard(piece.offset, piece.length);
      case Op::kWriteZeroes:
        return disk_.WriteZeroes(piece.offset, piece.length);
      case Op::kAllocate:
        return disk_.Allocate(piece.offset, piece.length);
    }
  }

  // How much of the range, from its beginning, works; a bad block that fails it once gets good.
  uint64_t GoodBytes(uint64_t offset, uint64_t length) {
    const uint64_t end = offset + length;
    uint64_t sector = offset / kSector;
    while (sector * kSector < end && !bad_[sector]) ++sector;
    if (sector * kSector >= end) return length;
    const uint64_t bad_from =
        FirstOfEntry(sector) * kSector / config_.blocksize * config_.blocksize;
    if (config_.badblocks_once) SetBad(FirstOfEntry(sector), LastOfEntry(sector), false);
    if (!config_.badblocks_partial_io || bad_from <= offset) return 0;
    return bad_from - offset;
  }

  // Entries are counted from where a run of bad sectors begins.
  uint64_t FirstOfEntry(uint64_t sector) const {
    uint64_t begin = sector;
    while (begin > 0 && bad_[begin - 1]) --begin;
    return sector - (sector - begin) % kEntrySectorsMax;
  }
  uint64_t LastOfEntry(uint64_t sector) const {
    const uint64_t first = FirstOfEntry(sector);
    uint64_t last = sector;
    while (last + 1 < std::min<uint64_t>(bad_.size(), first + kEntrySectorsMax) && bad_[last + 1]) {
      ++last;
    }
    return last;
  }

  const uint64_t size_bytes_;
  DeviceConfig config_;
  WriteCacheModel disk_;
  std::vector<bool> bad_;  // by sector
  uint64_t dropped_ = 0;
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_DEVICE_NULL_BLK_MODEL_H_
