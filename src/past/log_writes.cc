// The log as dm-log-writes has it (written_record.h), for replay-log of xfstests and its like.
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
#include "past/written_record.h"
#include "store/page_sectors.h"

namespace rnullfs {
namespace {

using Kind = LogEntry::Kind;

class Writes final : public LogStream {
 public:
  Writes(Past& past, bool finds_fua) : LogStream(past, BeginOfWrites(past) + 1, finds_fua) {}

 private:
  std::string Head(uint64_t records) const override {
    const WrittenHead head = {.records = records, .sector_bytes = kSectorSize};
    std::string sector(kSectorSize, '\0');
    std::memcpy(sector.data(), &head, sizeof head);
    return sector;
  }

  bool EndsAt(const LogEntry& entry) const override { return entry.jumps(); }

  uint64_t LengthOf(const LogEntry& entry) const override {
    if (!entry.changes_range() && !entry.is_flush() && entry.kind != Kind::kMark) return 0;
    return kSectorSize + DataLength(entry);
  }

  int Copy(const LogEntry& entry, uint64_t begin, uint64_t end, char* to) const override {
    if (begin < kSectorSize) {
      const WrittenRecord record = RecordOf(entry);
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

  WrittenRecord RecordOf(const LogEntry& entry) const {
    WrittenRecord record;
    if (entry.kind == Kind::kMark) {
      const std::string name = past().marks().NameOf(entry.number);
      record.flags = WrittenRecord::kMark;
      record.text_length = name.size();
      name.copy(record.text, sizeof record.text - 1);
    } else if (entry.is_flush()) {
      record.flags = WrittenRecord::kFlush;
    } else {
      record.sector = FirstByte(entry) / kSectorSize;
      const bool nothing = Discards(entry) && (entry.flags & LogEntry::kTakenBack) != 0;
      record.sectors = nothing ? 0 : RangeLength(entry) / kSectorSize;
      record.flags = Discards(entry)                       ? WrittenRecord::kDiscard
                     : (entry.flags & LogEntry::kFua) != 0 ? WrittenRecord::kFua
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
