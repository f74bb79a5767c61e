// Clones of clones of snapshots against a model that is plainly right: a string for each disk.
//
// The seed is printed; RNULLFS_TEST_SEED runs one again, RNULLFS_TEST_STEPS says how long.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "from_environment.h"
#include "past/clone_store.h"
#include "past/past.h"
#include "past_util.h"

namespace rnullfs {
namespace {

// Over two stripes, and neither of them whole.
constexpr uint64_t kSizes[] = {40 * kPage, 50 * kPage, 36 * kPage, 50 * kPage};
constexpr int kDisks = std::size(kSizes);

// A disk, and the one before it whose snapshot it began as.
struct ClonedDisk {
  std::string bytes;
  std::unique_ptr<PageStore> own;
  std::shared_ptr<View> origin;
  std::unique_ptr<CloneStore> clone;  // null: it stands alone
  std::unique_ptr<Past> past;

  Store& below() const { return clone != nullptr ? static_cast<Store&>(*clone) : *own; }
};

std::unique_ptr<PageStore> Found(const PageStore& left) {
  return *PageStore::Adopt("test", test_memory, MemfdKeeper::None(), UniqueFd(dup(left.fd())),
                           UniqueFd());
}

class CloneRandom : public testing::Test {
 protected:
  CloneRandom()
      : seed_(FromEnvironment("RNULLFS_TEST_SEED", std::random_device()())), random_(seed_) {
    std::printf("RNULLFS_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    for (int i = 0; i < kDisks; ++i) Make(i);
  }
  ~CloneRandom() override {
    for (int i = kDisks; i-- > 0;) disks_[i] = {};
  }

  uint64_t Below(uint64_t bound) { return bound == 0 ? 0 : random_() % bound; }

  uint64_t AnyPlace(uint64_t end) {
    constexpr uint64_t kAlignments[] = {1, 512, kPage};
    const uint64_t alignment = kAlignments[Below(std::size(kAlignments))];
    return Below(end / alignment + 1) * alignment;
  }

  void Make(int i) {
    ClonedDisk& disk = disks_[i];
    disk.bytes.assign(kSizes[i], '\0');
    disk.own = NewStore(kSizes[i]);
    if (i > 0) {
      ClonedDisk& before = disks_[i - 1];
      for (int change = 0; change < 20; ++change) Change(before);
      disk.origin = before.past->ViewAt(before.past->Hold(), kSizes[i - 1], true);
      const uint64_t shared = std::min(kSizes[i], kSizes[i - 1]);
      disk.bytes.replace(0, shared, before.bytes, 0, shared);
      marks_[i] = NewStore(0);
      disk.clone = *CloneStore::Create(*disk.own, disk.origin, Found(*marks_[i]));
    }
    disk.past = *Past::Create("past", test_memory, MemfdKeeper::None(), disk.below());
  }

  void Change(ClonedDisk& disk) {
    const uint64_t size = disk.bytes.size();
    const uint64_t offset = AnyPlace(size);
    const uint64_t length = std::min(size - offset, AnyPlace(Below(20) == 0 ? size : 3 * kPage));
    const uint64_t kind = Below(8);
    if (kind < 5) {
      const std::string data(length, static_cast<char>(Below(4) == 0 ? 0 : random_()));
      ASSERT_EQ(disk.past->Write(offset, length, data.data()), 0);
      disk.bytes.replace(offset, length, data);
    } else if (kind == 5) {
      ASSERT_EQ(disk.past->Allocate(offset, length), 0);
    } else {
      ASSERT_EQ(
          kind == 6 ? disk.past->Discard(offset, length) : disk.past->WriteZeroes(offset, length),
          0);
      std::fill_n(disk.bytes.begin() + static_cast<int64_t>(offset), length, '\0');
    }
  }

  // As a process does that takes over.
  void Adopt(int i) {
    ClonedDisk& disk = disks_[i];
    if (disk.clone == nullptr) return;
    disk.own = Found(*disk.own);
    disk.clone = *CloneStore::Create(*disk.own, disk.origin, Found(*marks_[i]));
    disk.past->Rearrange([&]() -> Store& { return *disk.clone; });
  }

  void StandAlone(ClonedDisk& disk) {
    if (disk.clone == nullptr) return;
    ASSERT_EQ(disk.clone->StandAlone(), 0);
    disk.past->Rearrange([&]() -> Store& { return *disk.own; });
    disk.clone = nullptr;
    disk.origin = nullptr;
  }

  // As a power-on does that finds another size.
  void Resize(ClonedDisk& disk, uint64_t size) {
    if (size < disk.bytes.size()) {
      ASSERT_EQ(
          disk.past->CutOff(
              size, [&] { return disk.clone == nullptr ? 0 : disk.clone->PrepareToDiscard(size); }),
          0);
    }
    ASSERT_TRUE(disk.own->Resize(size).ok());
    disk.bytes.resize(size);
  }

  void Check(const ClonedDisk& disk) {
    const uint64_t size = disk.bytes.size();
    const uint64_t offset = AnyPlace(size);
    const uint64_t length = std::min(size - offset, AnyPlace(size));
    ASSERT_TRUE(Read(*disk.past, offset, length) == disk.bytes.substr(offset, length));
    for (uint64_t at = 0; at < size;) {
      const uint64_t data = disk.past->NextData(at);
      ASSERT_EQ(disk.bytes.find_first_not_of('\0', at) < data, false) << at << " to " << data;
      if (data == size) break;
      at = disk.past->NextHole(data);
      ASSERT_GT(at, data);
    }
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  std::unique_ptr<PageStore> marks_[kDisks];  // others may hold the file, as the guard does
  ClonedDisk disks_[kDisks];
};

TEST_F(CloneRandom, AreDisksOfTheirOwn) {
  const uint64_t steps = FromEnvironment("RNULLFS_TEST_STEPS", 4000);
  for (uint64_t step = 0; step < steps && !HasFatalFailure(); ++step) {
    SCOPED_TRACE(testing::Message() << "step " << step);
    const int i = static_cast<int>(Below(kDisks));
    if (Below(20) == 0) Adopt(i);
    if (Below(2000) == 0) StandAlone(disks_[i]);
    if (Below(50) == 0) Resize(disks_[i], kSizes[i] / kPage * (1 + Below(4)) / 4 * kPage);
    Change(disks_[i]);
    Check(disks_[Below(kDisks)]);
  }
}

}  // namespace
}  // namespace rnullfs
