// What the tests of the log's files share.
#ifndef RNULLFS_TESTS_PAST_LOG_UTIL_H_
#define RNULLFS_TESTS_PAST_LOG_UTIL_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "past_util.h"

namespace rnullfs {

// dm-log-writes' format, read by what its kernel module and replay-log say of it.
struct WritesRecord {
  static constexpr uint64_t kFlush = 1;
  static constexpr uint64_t kFua = 2;
  static constexpr uint64_t kDiscard = 4;
  static constexpr uint64_t kMark = 8;

  uint64_t sector = 0;
  uint64_t sectors = 0;
  uint64_t flags = 0;
  std::string text = {};
  std::string data = {};

  // Does to a disk what it says.
  void Replay(std::string& disk) const {
    const uint64_t length = sectors * 512;
    const std::string what = (flags & kDiscard) != 0 ? std::string(length, '\0') : data;
    ASSERT_LE(sector * 512 + length, disk.size());
    disk.replace(sector * 512, length, what);
  }
};

inline uint64_t U64At(std::string_view bytes, uint64_t at) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

inline bool IsZeros(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

inline void ParseWrites(std::string_view bytes, std::vector<WritesRecord>& records) {
  ASSERT_GE(bytes.size(), 512);
  ASSERT_EQ(U64At(bytes, 0), 0x6a736677736872);
  ASSERT_EQ(U64At(bytes, 8), 1) << "the version";
  ASSERT_EQ(U64At(bytes, 24), 512) << "bytes of a sector, and nothing behind it";
  ASSERT_TRUE(IsZeros(bytes.substr(32, 480)));
  uint64_t at = 512;
  for (uint64_t count = U64At(bytes, 16); count > 0; --count) {
    ASSERT_LE(at + 512, bytes.size());
    const std::string_view head = bytes.substr(at, 512);
    WritesRecord record = {
        .sector = U64At(head, 0), .sectors = U64At(head, 8), .flags = U64At(head, 16)};
    const uint64_t text = U64At(head, 24);
    ASSERT_LE(text, 479);
    ASSERT_TRUE(text == 0 || record.flags == WritesRecord::kMark);
    ASSERT_TRUE(record.flags == 0 || record.flags == 1 || record.flags == 2 || record.flags == 4 ||
                record.flags == 8);
    record.text = head.substr(32, text);
    ASSERT_TRUE(IsZeros(head.substr(32 + text)));
    at += 512;
    if (record.flags != WritesRecord::kDiscard) {
      ASSERT_LE(at + record.sectors * 512, bytes.size());
      record.data = bytes.substr(at, record.sectors * 512);
      at += record.data.size();
    }
    records.push_back(std::move(record));
  }
  ASSERT_EQ(at, bytes.size()) << "no more than it says";
}

inline std::vector<WritesRecord> RecordsOf(View& view) {
  std::vector<WritesRecord> records;
  ParseWrites(Read(view, 0, view.size_bytes()), records);
  return records;
}

inline int TryRead(View& view, uint64_t offset, uint64_t length) {
  return view.Read(offset, length, [](absl::Span<const iovec>) {});
}

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_PAST_LOG_UTIL_H_
