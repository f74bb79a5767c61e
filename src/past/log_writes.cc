// The log as dm-log-writes has it, for replay-log of xfstests and its like.
//
//     sector 0    u64 magic, version 1, number of records; u32 bytes of a sector; little-endian
//     then, for each record, a sector {u64 sector, sectors, flags, length of a mark's text}, with
//     the text at byte 32; and, where it writes, the data
//
// The order is that of the numbers, not that of completion: a record that a flush does not cover
// may come before it.  Replayed up to any flush it is what a power cut may have left all the same:
// what had been covered, and some of what had not.
//
// The data are what the disk had there at the moment of that number.  A discard of parts of sectors
// has data, too, as zeros that were written have.

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "past/log_files.h"
#include "past/log_stream.h"
#include "store/page_sectors.h"

namespace rnullfs {
namespace {

using Kind = LogEntry::Kind;

constexpr uint64_t kFlushFlag = 1;
constexpr uint64_t kFuaFlag = 2;
constexpr uint64_t kDiscardFlag = 4;
constexpr uint64_t kMarkFlag = 8;

struct Super {
  uint64_t magic = 0x6a736677736872;
  uint64_t version = 1;
  uint64_t entries = 0;
  uint64_t sector_bytes = kSectorSize;  // in the lower half
};

struct Record {
  uint64_t sector = 0;
  uint64_t sectors = 0;
  uint64_t flags = 0;
  uint64_t text_length = 0;
  char text[480] = {};
};
static_assert(sizeof(Record) == kSectorSize);

class Writes final : public LogStream {
 public:
  Writes(Past& past, bool finds_fua) : LogStream(past, BeginOfWrites(past) + 1, finds_fua) {}

 private:
  std::string Head(uint64_t records) const override {
    const Super super = {.entries = records};
    std::string head(kSectorSize, '\0');
    std::memcpy(head.data(), &super, sizeof super);
    return head;
  }

  bool EndsAt(const LogEntry& entry) const override { return entry.jumps(); }

  uint64_t LengthOf(const LogEntry& entry) const override {
    if (!entry.changes_range() && !entry.is_flush() && entry.kind != Kind::kMark) return 0;
    return kSectorSize + DataLength(entry);
  }

  int Copy(const LogEntry& entry, uint64_t begin, uint64_t end, char* to) const override {
    if (begin < kSectorSize) {
      const Record record = RecordOf(entry);
      const uint64_t length = std::min(end, kSectorSize) - begin;
      std::memcpy(to, reinterpret_cast<const char*>(&record) + begin, length);
      to += length;
      begin = kSectorSize;
    }
    if (begin >= end) return 0;
    const uint64_t place = FirstByte(entry) + begin - kSectorSize;
    return past()
        .ViewAt(entry.number, past().size_bytes(), /*held=*/false)
        ->CopyOut(place, end - begin, to);
  }

  static uint64_t FirstByte(const LogEntry& entry) {
    return entry.offset / kSectorSize * kSectorSize;
  }
  static uint64_t RangeLength(const LogEntry& entry) {
    const uint64_t end = (entry.offset + entry.length + kSectorSize - 1) / kSectorSize;
    return end * kSectorSize - FirstByte(entry);
  }
  static uint64_t DataLength(const LogEntry& entry) {
    return entry.changes_range() && !Discards(entry) ? RangeLength(entry) : 0;
  }
  static bool Discards(const LogEntry& entry) {
    return entry.kind == Kind::kDiscard && (entry.offset | entry.length) % kSectorSize == 0;
  }

  Record RecordOf(const LogEntry& entry) const {
    Record record;
    if (entry.kind == Kind::kMark) {
      const std::string name = past().marks().NameOf(entry.number);
      record.flags = kMarkFlag;
      record.text_length = name.size();
      name.copy(record.text, sizeof record.text - 1);
    } else if (entry.is_flush()) {
      record.flags = kFlushFlag;
    } else {
      record.sector = FirstByte(entry) / kSectorSize;
      const bool nothing = Discards(entry) && (entry.flags & LogEntry::kTakenBack) != 0;
      record.sectors = nothing ? 0 : RangeLength(entry) / kSectorSize;
      record.flags = Discards(entry)                       ? kDiscardFlag
                     : (entry.flags & LogEntry::kFua) != 0 ? kFuaFlag
                                                           : 0;
    }
    return record;
  }
};

}  // namespace

uint64_t BeginOfWrites(const Past& past) {
  const RequestLog& log = past.log();
  return std::max({log.first() - 1, past.oldest(), log.last_jump()});
}

std::unique_ptr<View> LogAsWrites(Past& past, const LogFormat& format) {
  return std::make_unique<Writes>(past, format.finds_fua);
}

}  // namespace rnullfs
