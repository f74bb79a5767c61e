// What is stored stays whole, and vacant pages stay vacant, when there is no room for more: memory,
// file size, addresses and the index run out in turn.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>

#include "store_util.h"

namespace {

thread_local bool no_memory_for_nodes = false;
thread_local bool no_memory_for_arrays = false;

}  // namespace

// The index allocates its nodes with this form of `new`, and nothing else here does.
void* operator new(size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return no_memory_for_nodes ? nullptr : ::operator new(size);
}

void* operator new[](size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return no_memory_for_arrays ? nullptr : ::operator new[](size);
}

namespace rnullfs {
namespace {

uint64_t available_memory = UINT64_MAX;

// A store of one page, 'o', at the third page of a MiB.
class FullStore : public testing::Test {
 protected:
  FullStore() {
    available_memory = UINT64_MAX;
    EXPECT_TRUE(store_->Resize(kMiB).ok());
    EXPECT_EQ(Write(*store_, 2 * kPage, old_), 0);
  }

  // As before, and without old bytes in the pages that could not be stored.
  void ExpectUnchanged() {
    ExpectStoredPages(*store_, 1);
    EXPECT_EQ(Read(*store_, 0, kMiB),
              std::string(2 * kPage, '\0') + old_ + std::string(kMiB - 3 * kPage, '\0'));
    ASSERT_EQ(Write(*store_, 3 * kPage + 1, "n"), 0);
    EXPECT_EQ(Read(*store_, 3 * kPage, kPage),
              std::string("\0n", 2) + std::string(kPage - 2, '\0'));
  }

  const std::string old_ = std::string(kPage, 'o');
  MemoryLimit memory_{MemoryLimit::kNone, +[] { return available_memory; }};
  const std::unique_ptr<PageStore> store_ = *PageStore::Create("full", memory_);
};

// Lowers the limit of a resource for a scope.
class ScopedLimit {
 public:
  ScopedLimit(__rlimit_resource resource, uint64_t limit) : resource_(resource) {
    getrlimit(resource_, &old_);
    const rlimit lowered = {limit, old_.rlim_max};
    EXPECT_EQ(setrlimit(resource_, &lowered), 0);
  }
  ~ScopedLimit() { setrlimit(resource_, &old_); }
  ScopedLimit(const ScopedLimit&) = delete;
  ScopedLimit& operator=(const ScopedLimit&) = delete;

 private:
  const __rlimit_resource resource_;
  rlimit old_ = {};
};

// Addresses that no window of a store fits into.  A sanitizer has terabytes of them, and needs
// more.
uint64_t NoWindowLimit() {
#ifdef RNULLFS_SANITIZED
  std::ifstream file("/proc/self/statm");
  uint64_t pages = 0;
  file >> pages;
  return pages * kPage + 1024 * kMiB;
#else
  return kMiB;
#endif
}

TEST_F(FullStore, NoMemory) {
  // Whatever was leased before is used up first.
  const uint64_t plenty = 64 * kMiB;
  ASSERT_TRUE(store_->Resize(plenty).ok());
  available_memory = 0;
  uint64_t end = 3 * kPage;
  while (Write(*store_, end, old_) == 0) end += kPage;
  ASSERT_LT(end, plenty);
  ExpectStoredPages(*store_, end / kPage - 2);

  EXPECT_EQ(Write(*store_, end, old_), ENOSPC);
  EXPECT_EQ(Write(*store_, end - kPage, old_ + old_), ENOSPC);
  EXPECT_EQ(store_->Allocate(0, kPage), ENOSPC);
  EXPECT_EQ(Read(*store_, end - kPage, 2 * kPage), old_ + std::string(kPage, '\0'));
  ExpectStoredPages(*store_, end / kPage - 2);

  EXPECT_EQ(Write(*store_, end - kPage, "overwritten"), 0);
  EXPECT_EQ(store_->Allocate(2 * kPage, end - 2 * kPage), 0);
  EXPECT_EQ(store_->WriteZeroes(0, plenty), 0);
  EXPECT_EQ(store_->Discard(0, plenty), 0);
  ExpectStoredPages(*store_, 0);
  available_memory = UINT64_MAX;
  EXPECT_EQ(Write(*store_, end, old_), 0);
}

TEST(PageStoreLimit, IsExactAndDiscardMakesRoom) {
  MemoryLimit memory(4 * kPage);
  const auto store = *PageStore::Create("limited", memory);
  const auto other = *PageStore::Create("other", memory);
  ASSERT_TRUE(store->Resize(kMiB).ok());
  ASSERT_TRUE(other->Resize(kMiB).ok());
  ASSERT_EQ(Write(*store, 0, std::string(3 * kPage, 'x')), 0);
  ASSERT_EQ(Write(*other, 0, "y"), 0);
  EXPECT_EQ(memory.used_bytes(), 4 * kPage);
  EXPECT_EQ(Write(*store, 3 * kPage, "z"), ENOSPC);
  EXPECT_EQ(Write(*other, kPage - 1, "zz"), ENOSPC);
  EXPECT_EQ(store->Allocate(0, 4 * kPage), ENOSPC);
  EXPECT_EQ(Write(*store, kPage, "overwritten"), 0);
  ExpectStoredPages(*store, 3);
  ASSERT_EQ(store->Discard(0, kPage), 0);
  EXPECT_EQ(memory.used_bytes(), 3 * kPage);
  EXPECT_EQ(Write(*other, kPage, "z"), 0);
  ASSERT_TRUE(store->Resize(0).ok());
  EXPECT_EQ(memory.used_bytes(), 2 * kPage);
}

TEST_F(FullStore, AllocationBeyondTheMachinesMemory) {
  const auto store = NewStore(8 * kTiB);
  ASSERT_EQ(Write(*store, kTiB, "kept"), 0);
  EXPECT_EQ(store->Allocate(0, 8 * kTiB), ENOSPC);
  ExpectStoredPages(*store, 1);
}

TEST_F(FullStore, FileSizeLimit) {
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  {
    // The kernel cuts the first write short in the middle of a page, and refuses the rest.
    const ScopedLimit limit(RLIMIT_FSIZE, 5 * kPage + 100);
    EXPECT_EQ(Write(*store_, 3 * kPage, std::string(4 * kPage, 'x')), ENOSPC);
    EXPECT_EQ(Write(*store_, 6 * kPage, std::string(kPage, 'x')), ENOSPC);
  }
  std::signal(SIGXFSZ, old_handler);
  ExpectUnchanged();
}

TEST_F(FullStore, NoAddresses) {
  const auto store = NewStore(kMiB);
  const std::string expected = std::string("on") + std::string(kPage - 2, 'o') +
                               std::string(kPage, '\0') + "x" + std::string(kPage - 1, '\0');
  {
    const ScopedLimit limit(RLIMIT_AS, NoWindowLimit());
    EXPECT_EQ(Write(*store, 0, old_), 0);
    EXPECT_EQ(Write(*store, 1, "n"), 0);
    EXPECT_EQ(Write(*store, 2 * kPage, "xxx"), 0);
    EXPECT_EQ(store->WriteZeroes(2 * kPage + 1, 2 * kPage), 0);
    EXPECT_EQ(Read(*store, 0, 3 * kPage), expected);
    ExpectStoredPages(*store, 2);
    EXPECT_EQ(Write(*store, 8 * kPage, old_ + old_), 0);
    EXPECT_EQ(store->Discard(8 * kPage + 1, 2 * kPage - 1), 0);
    EXPECT_EQ(Read(*store, 8 * kPage, 2), std::string("o\0", 2));
    EXPECT_EQ(store->Discard(8 * kPage, kPage), 0);
  }
  EXPECT_EQ(Read(*store, 0, 3 * kPage), expected) << "mapped again";
  EXPECT_EQ(Write(*store, 2 * kPage, "y"), 0);
  EXPECT_EQ(Read(*store, 2 * kPage, 2), std::string("y\0", 2));
  EXPECT_EQ(store->Allocate(0, 3 * kPage), 0);
  ExpectStoredPages(*store, 3);
}

// What is stored is never taken for a hole: not by who reads it, nor by who zeroes it.
TEST_F(FullStore, NoAddressesForWhatWasFound) {
  const auto store = *PageStore::Adopt("adopted", memory_, MemfdKeeper::None(),
                                       UniqueFd(dup(store_->fd())), UniqueFd());
  char bytes[2 * kPage] = {};
  {
    const ScopedLimit limit(RLIMIT_AS, NoWindowLimit());
    EXPECT_EQ(store->CopyOut(2 * kPage, 2 * kPage, bytes), 0);
    EXPECT_EQ(Write(*store, 2 * kPage + 7, "new"), 0);
    EXPECT_EQ(store->WriteZeroes(3 * kPage - 1, 1), 0);
  }
  EXPECT_EQ(std::string(bytes, 2 * kPage), old_ + std::string(kPage, '\0'));
  const std::string changed = Read(*store, 2 * kPage, kPage);
  EXPECT_EQ(changed, std::string(7, 'o') + "new" + std::string(kPage - 11, 'o') + '\0');
}

// A large copy of what cannot be mapped takes memory that a process may not have.
TEST_F(FullStore, NoMemoryToReadWhatCannotBeMapped) {
  const auto store = NewStore(kMiB);
  {
    const ScopedLimit limit(RLIMIT_AS, NoWindowLimit());
    EXPECT_EQ(Write(*store, 0, old_), 0);
    no_memory_for_arrays = true;
    bool called = false;
    const int error = store->Read(0, kPage, [&](absl::Span<const iovec>) { called = true; });
    no_memory_for_arrays = false;
    EXPECT_EQ(error, ENOMEM);
    EXPECT_FALSE(called);
  }
  EXPECT_EQ(Read(*store, 0, kPage), old_);
}

TEST_F(FullStore, NoMemoryForTheIndex) {
  ASSERT_TRUE(store_->Resize(8 * kMiB).ok());
  const std::string data(kMiB, 'x');
  no_memory_for_nodes = true;
  // A leaf holds 64 pages: of the first write 61 go into it, of the second none.
  const int in_use = Write(*store_, 3 * kPage, data);
  const int unused = store_->Allocate(4 * kMiB, kMiB);
  no_memory_for_nodes = false;
  EXPECT_EQ(in_use, ENOSPC);
  EXPECT_EQ(unused, ENOSPC);
  ExpectUnchanged();
}

TEST_F(FullStore, NoMemoryForAWindow) {
  const auto store = NewStore(kMiB);
  no_memory_for_nodes = true;
  const int error = Write(*store, 0, old_);
  no_memory_for_nodes = false;
  EXPECT_EQ(error, 0) << "which is then written without one";
  ExpectStoredPages(*store, 1);
  EXPECT_EQ(Read(*store, 0, kPage), old_);
  EXPECT_EQ(Write(*store, 0, old_), 0);
}

}  // namespace
}  // namespace rnullfs
