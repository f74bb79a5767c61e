// A disk with a write cache, as plainly as can be: its bytes twice, and which sectors are cached.
// What the write cache and the device are compared with.
#ifndef RNULLFS_TESTS_STORE_WRITE_CACHE_MODEL_H_
#define RNULLFS_TESTS_STORE_WRITE_CACHE_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rnullfs {

// Units: bytes; ranges lie within the disk.
class WriteCacheModel {
 public:
  static constexpr uint64_t kSectorBytes = 512;
  static constexpr uint64_t kPageBytes = 4096;

  // Without a cache if it has no pages.
  WriteCacheModel(uint64_t size_bytes, uint64_t cache_pages)
      : cache_pages_(cache_pages),
        disk_(size_bytes, '\0'),
        cache_(size_bytes, '\0'),
        cached_(size_bytes / kSectorBytes, false),
        stored_(size_bytes / kPageBytes, false) {}

  std::string Read(uint64_t offset, uint64_t length) const {
    std::string bytes = disk_.substr(offset, length);
    for (uint64_t at = offset; at < offset + length;) {
      const uint64_t end = std::min((at / kSectorBytes + 1) * kSectorBytes, offset + length);
      if (IsCached(at)) bytes.replace(at - offset, end - at, cache_, at, end - at);
      at = end;
    }
    return bytes;
  }

  void Write(uint64_t offset, std::string_view data) {
    if (cache_pages_ == 0) return WriteThrough(offset, data);
    while (!data.empty()) {
      const uint64_t page = offset / kPageBytes;
      const std::string_view piece = data.substr(0, (page + 1) * kPageBytes - offset);
      if (!HasCached(page)) MakeRoom();
      const auto [begin, end] = SectorsOf(offset, piece.size());
      const std::string sectors = Read(begin, end - begin);
      cache_.replace(begin, sectors.size(), sectors);
      cache_.replace(offset, piece.size(), piece);
      Mark(offset, piece.size(), true);
      offset += piece.size();
      data.remove_prefix(piece.size());
    }
  }

  void WriteThrough(uint64_t offset, std::string_view data) {
    WriteBackEdges(offset, data.size());
    PutOnDisk(offset, data);
  }

  void Flush() {
    while (curr_pages_ > 0) WriteBackNext();
  }

  void WriteZeroes(uint64_t offset, uint64_t length) {
    WriteBackEdges(offset, length);
    disk_.replace(offset, length, length, '\0');
    Mark(offset, length, false);
  }

  void Discard(uint64_t offset, uint64_t length) {
    WriteZeroes(offset, length);
    for (uint64_t page = (offset + kPageBytes - 1) / kPageBytes;
         (page + 1) * kPageBytes <= offset + length; ++page) {
      stored_[page] = false;
    }
  }

  void Allocate(uint64_t offset, uint64_t length) {
    if (length == 0) return;
    for (uint64_t page = offset / kPageBytes; page <= (offset + length - 1) / kPageBytes; ++page) {
      stored_[page] = true;
    }
  }

  // The next process has the same, but begins to write back at the disk's beginning.
  void BeKilled() { cursor_ = 0; }

  // The power has gone, what is cached with it; it comes back with another cache.
  void PowerOn(uint64_t cache_pages) {
    Mark(0, disk_.size(), false);
    cache_pages_ = cache_pages;
    cursor_ = 0;
  }

  // The first byte from `offset` on that is (not) data; the end if there is none.
  uint64_t Next(uint64_t offset, bool data) const {
    while (offset < disk_.size() && (IsCached(offset) || stored_[offset / kPageBytes]) != data) {
      offset = (offset / kSectorBytes + 1) * kSectorBytes;
    }
    return std::min<uint64_t>(offset, disk_.size());
  }

  uint64_t cached_pages() const { return curr_pages_; }
  uint64_t written_back() const { return written_back_; }
  const std::string& disk() const { return disk_; }

 private:
  bool IsCached(uint64_t at) const { return cached_[at / kSectorBytes]; }

  bool HasCached(uint64_t page) const {
    constexpr int64_t kSectors = kPageBytes / kSectorBytes;
    const auto first = cached_.begin() + static_cast<int64_t>(page) * kSectors;
    return std::find(first, first + kSectors, true) != first + kSectors;
  }

  // The whole sectors of which a range has a part.
  static std::pair<uint64_t, uint64_t> SectorsOf(uint64_t offset, uint64_t length) {
    return {offset / kSectorBytes * kSectorBytes,
            (offset + length + kSectorBytes - 1) / kSectorBytes * kSectorBytes};
  }

  // Of these, what the range does not have would be lost.
  void WriteBackEdges(uint64_t offset, uint64_t length) {
    for (const uint64_t edge : {offset, offset + length}) {
      if (edge % kSectorBytes != 0) WriteBack(edge / kPageBytes);
    }
  }

  void PutOnDisk(uint64_t offset, std::string_view data) {
    disk_.replace(offset, data.size(), data);
    Allocate(offset, data.size());
    Mark(offset, data.size(), false);
  }

  void Mark(uint64_t offset, uint64_t length, bool cached) {
    const auto [begin, end] = SectorsOf(offset, length);
    for (uint64_t at = begin; at < end; at += kSectorBytes) {
      const uint64_t page = at / kPageBytes;
      curr_pages_ -= HasCached(page) ? 1 : 0;
      cached_[at / kSectorBytes] = cached;
      curr_pages_ += HasCached(page) ? 1 : 0;
    }
  }

  // 16 pages from where the last time ended, around the end of the disk.
  void MakeRoom() {
    while (curr_pages_ >= cache_pages_) {
      for (int i = 0; i < 16 && curr_pages_ > 0; ++i) WriteBackNext();
    }
  }

  void WriteBackNext() {
    while (!HasCached(cursor_)) cursor_ = (cursor_ + 1) % stored_.size();
    WriteBack(cursor_);
    cursor_ = (cursor_ + 1) % stored_.size();
  }

  void WriteBack(uint64_t page) {
    if (!HasCached(page)) return;
    for (uint64_t at = page * kPageBytes; at < (page + 1) * kPageBytes; at += kSectorBytes) {
      if (IsCached(at)) PutOnDisk(at, std::string_view(cache_).substr(at, kSectorBytes));
    }
    ++written_back_;
  }

  uint64_t cache_pages_;
  std::string disk_;
  std::string cache_;
  std::vector<bool> cached_;  // by sector
  std::vector<bool> stored_;  // by page
  uint64_t curr_pages_ = 0;
  uint64_t written_back_ = 0;
  uint64_t cursor_ = 0;  // a page
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_STORE_WRITE_CACHE_MODEL_H_
