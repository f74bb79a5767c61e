// dm-log-writes' format (drivers/md/dm-log-writes.c): a head, and one record behind the other.
//
//     sector 0    the head
//     then, for each record, a sector with what it is, and a mark's text at byte 32; and, where it
//     writes, the data
//
// Thread safety: as of plain values.
// Units: sectors, of as many bytes as the head says.  Little-endian.
#ifndef RNULLFS_PAST_WRITTEN_RECORD_H_
#define RNULLFS_PAST_WRITTEN_RECORD_H_

#include <bit>
#include <cstdint>

namespace rnullfs {

static_assert(std::endian::native == std::endian::little);

struct WrittenHead {
  static constexpr uint64_t kMagic = 0x6a736677736872;

  uint64_t magic = kMagic;
  uint64_t version = 1;
  uint64_t records = 0;
  uint32_t sector_bytes = 512;
  uint32_t nothing = 0;
};

struct WrittenRecord {
  static constexpr uint64_t kFlush = 1;
  static constexpr uint64_t kFua = 2;
  static constexpr uint64_t kDiscard = 4;
  static constexpr uint64_t kMark = 8;
  static constexpr uint64_t kMetadata = 16;  // what the file system has called so
  static constexpr uint64_t kKnown = 31;

  uint64_t sector = 0;
  uint64_t sectors = 0;
  uint64_t flags = 0;
  uint64_t text_length = 0;
  char text[480] = {};

  // Of as many sectors.
  bool has_data() const { return (flags & (kDiscard | kMark)) == 0; }
};
static_assert(sizeof(WrittenRecord) == 512);

}  // namespace rnullfs

#endif  // RNULLFS_PAST_WRITTEN_RECORD_H_
