// Random requests, bad blocks and power cycles, to a disk and to the model of one: the first thing
// that they do not have in common is a mistake of one of them.
#ifndef RNULLFS_TESTS_DEVICE_DIFFERENTIAL_H_
#define RNULLFS_TESTS_DEVICE_DIFFERENTIAL_H_

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "null_blk_model.h"

namespace rnullfs {

// A disk that is compared: a device, or a directory of a mount.
class Compared {
 public:
  struct Counts {
    uint64_t cached = 0;  // pages, all of them
    uint64_t written_back = 0;
    uint64_t dropped = 0;
    bool operator==(const Counts&) const = default;
  };

  virtual ~Compared() = default;
  virtual void PowerCycle(const DeviceConfig& config) = 0;
  virtual int Do(const Command& command, std::string* read) = 0;  // an errno
  virtual void EditBadBlocks(const std::string& text) = 0;
  virtual std::string BadBlocks() = 0;
  virtual uint64_t Next(uint64_t offset, bool data) = 0;
  virtual Counts counts() = 0;
};

class Differential {
 public:
  static constexpr uint64_t kSizeMib = 4;

  Differential(Compared& disk, uint64_t seed) : disk_(disk), random_(seed) { PowerCycle(); }

  // Does one more thing.  What was different, or nothing.
  std::string Step() {
    difference_.clear();
    const uint64_t choice = Below(512);
    if (choice == 0) {
      PowerCycle();
    } else if (choice < 12) {
      EditBadBlocks();
    } else if (choice < 50) {
      CompareSpace();
    } else {
      Request();
    }
    if (++steps_ % 64 == 0) CompareState();
    return difference_;
  }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }
  bool Rarely() { return Below(8) == 0; }

  template <typename Value>
  void Same(const char* what, const Value& model, const Value& disk) {
    if (difference_.empty() && !(model == disk)) difference_ = absl::StrCat(what, " ", doing_);
  }
  void SameNumber(const char* what, uint64_t model, uint64_t disk) {
    if (!difference_.empty() || model == disk) return;
    difference_ = absl::StrCat(what, " ", doing_, ": ", disk, " instead of ", model);
  }

  void PowerCycle() {
    doing_ = "before power-off";
    CompareState();
    const DeviceConfig config = {
        .power = true,
        .blocksize = 512U << Below(4),
        .size = kSizeMib,
        .irqmode = Rarely() ? IrqMode::kSoft : IrqMode::kNone,
        .memory_backed = !Rarely(),
        .datapath = DataPath::kDaemon,
        .discard = !Rarely(),
        .max_sectors = Below(2) == 0 ? 0 : static_cast<uint32_t>(8 + Below(64)),
        .badblocks_once = Below(2) == 0,
        .badblocks_partial_io = Below(2) == 0,
        .cache_size = Below(3),
        .fua = Below(2) == 0,
    };
    disk_.PowerCycle(config);
    model_.PowerOn(config);
    EditBadBlocks("-", 0, kSectors - 1);
    doing_ = "after power-on";
    CompareState();
    for (uint64_t at = 0; at < model_.size_bytes(); at += kLengthMax) {
      Compare({.op = Op::kRead, .offset = at, .length = kLengthMax});
    }
  }

  void EditBadBlocks() {
    const uint64_t first = Below(kSectors);
    const uint64_t length = 1 + Below(Rarely() ? 1500 : 8);
    const uint64_t last = std::min(first + length, kSectors) - 1;
    if (Below(2) == 0) return EditBadBlocks("+", first, last);
    EditBadBlocks("-", Rarely() ? 0 : first, std::min(last + 512, kSectors - 1));
  }
  void EditBadBlocks(const char* how, uint64_t first, uint64_t last) {
    doing_ = absl::StrCat("after ", how, first, "-", last);
    disk_.EditBadBlocks(absl::StrCat(how, first, "-", last));
    model_.SetBad(first, last, *how == '+');
    Same("bad blocks", model_.BadBlocks(), disk_.BadBlocks());
  }

  void CompareState() {
    Same("bad blocks", model_.BadBlocks(), disk_.BadBlocks());
    const Compared::Counts counts = disk_.counts();
    SameNumber("cached pages", model_.cached_pages(), counts.cached);
    SameNumber("pages written back", model_.written_back(), counts.written_back);
    SameNumber("pages dropped", model_.dropped(), counts.dropped);
  }

  void CompareSpace() {
    const uint64_t offset = Below(model_.size_bytes());
    doing_ = absl::StrCat("from ", offset, " on");
    SameNumber("data", model_.Next(offset, true), disk_.Next(offset, true));
    SameNumber("hole", model_.Next(offset, false), disk_.Next(offset, false));
  }

  static Op OpOf(uint64_t choice) {
    if (choice < 30) return Op::kWrite;
    if (choice < 50) return Op::kRead;
    if (choice < 55) return Op::kDiscard;
    if (choice < 60) return Op::kWriteZeroes;
    return choice < 62 ? Op::kAllocate : Op::kFlush;
  }

  // Short ranges most of the time, near the beginning half of it: a part of the disk that is full.
  void Request() {
    Command command = {.op = OpOf(Below(64))};
    if (command.op != Op::kFlush) {
      const uint64_t sectors = Below(2) == 0 ? kSectors / 8 : kSectors + 8;
      command.offset = Below(sectors) * kSector;
      command.length = (1 + Below(Rarely() ? kLengthMax / kSector : 24)) * kSector;
    }
    if (command.op != Op::kFlush && Rarely()) {
      command.offset += Below(kSector);
      command.length -= Below(kSector);
    }
    if (command.op == Op::kRead || command.op == Op::kWrite) command.direct = Below(2) == 0;
    std::string data;
    if (command.op == Op::kWrite) {
      command.fua = Below(4) == 0;
      while (data.size() < command.length) {
        const uint64_t random = random_();
        data.append(reinterpret_cast<const char*>(&random), sizeof random);
      }
      command.data = data.data();
    }
    Compare(command);
  }

  void Compare(const Command& command) {
    doing_ =
        absl::StrCat("after op ", static_cast<int>(command.op), " of ", command.length, " at ",
                     command.offset, command.direct ? ", direct" : "", command.fua ? ", fua" : "");
    std::string expected;
    std::string got;
    const int error = model_.Do(command, &expected);
    SameNumber("errno", static_cast<uint64_t>(error),
               static_cast<uint64_t>(disk_.Do(command, &got)));
    if (error == 0 && command.op == Op::kRead) Same("bytes", expected, got);
  }

  static constexpr uint64_t kSector = NullBlkModel::kSector;
  static constexpr uint64_t kSectors = (kSizeMib << 20) / kSector;
  static constexpr uint64_t kLengthMax = uint64_t{64} << 10;

  Compared& disk_;
  std::mt19937_64 random_;
  NullBlkModel model_{kSizeMib << 20};
  uint64_t steps_ = 0;
  std::string doing_;
  std::string difference_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_DEVICE_DIFFERENTIAL_H_
