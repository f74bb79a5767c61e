// What the tests of src/past share.
#ifndef RNULLFS_TESTS_PAST_PAST_UTIL_H_
#define RNULLFS_TESTS_PAST_PAST_UTIL_H_

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "past/past.h"
#include "rnullfs/page_store.h"
#include "rnullfs/view.h"
#include "store/store_util.h"

namespace rnullfs {

// A letter for each page.
inline std::string Pages(std::string_view letters) {
  std::string bytes;
  for (const char letter : letters) bytes += std::string(kPage, letter == '.' ? '\0' : letter);
  return bytes;
}

inline std::string Letters(const std::string& bytes) {
  std::string letters;
  for (uint64_t at = 0; at < bytes.size(); at += kPage) {
    const bool same = bytes.substr(at, kPage) == std::string(kPage, bytes[at]);
    letters += !same ? '!' : bytes[at] == '\0' ? '.' : bytes[at];
  }
  return letters;
}

// A small store with a past; both take their memory from one limit.
class DiskWithPast {
 public:
  explicit DiskWithPast(uint64_t pages = 8, uint64_t limit_bytes = MemoryLimit::kNone)
      : memory_(limit_bytes), store_(NewStore(pages * kPage, memory_)) {
    past_ = *Past::Create("past", memory_, MemfdKeeper::None(), *store_);
  }

  // The process is gone, and another one is there.
  void BeKilled(uint64_t history_bytes = 0) {
    UniqueFd memfd(fcntl(past_->file().fd(), F_DUPFD_CLOEXEC, 3));
    past_.reset();
    past_ = *Past::Adopt(memory_, MemfdKeeper::None(), std::move(memfd), history_bytes, *store_);
  }

  int Write(uint64_t page, std::string_view letters) {
    return past_->Write(page * kPage, letters.size() * kPage, Pages(letters).data());
  }
  int Discard(uint64_t page, uint64_t count = 1) {
    return past_->Discard(page * kPage, count * kPage);
  }
  std::string Now() { return Letters(Read(*past_, 0, past_->size_bytes())); }
  std::string At(uint64_t moment, bool held = true) {
    return Letters(Read(*past_->ViewAt(moment, past_->size_bytes(), held), 0, past_->size_bytes()));
  }
  // How many versions there are.
  uint64_t Versions() {
    uint64_t count = 0;
    past_->file().ForEach([&](Version) { ++count; });
    return count;
  }

  Past& past() { return *past_; }
  PageStore& store() { return *store_; }
  MemoryLimit& memory() { return memory_; }

 private:
  MemoryLimit memory_;
  std::unique_ptr<PageStore> store_;
  std::unique_ptr<Past> past_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_PAST_PAST_UTIL_H_
