#include "rnullfs/medium.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cerrno>
#include <string>

#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr uint64_t kLargestMib = 8796093022207;  // (2^63 - 1) / 2^20

DeviceConfig Config(uint64_t size_mib, bool memory_backed) {
  return {.size = size_mib, .memory_backed = memory_backed};
}

void Write(Medium& medium, uint64_t offset, const std::string& data) {
  ASSERT_EQ(medium.store()->Write(offset, data.size(), data.data()), 0);
}

TEST(Medium, HasNoStoreUntilItIsNeeded) {
  MemoryLimit memory;
  DeviceCounters all;
  Medium medium{{.name = "test", .cache_name = "test cache", .memory = memory, .counters = all}};
  EXPECT_EQ(medium.store(), nullptr);
  ASSERT_TRUE(medium.Prepare(Config(1, false)).ok());
  EXPECT_EQ(medium.store(), nullptr);
  EXPECT_EQ(medium.stored_pages(), 0);
  ASSERT_TRUE(medium.Prepare(Config(1, true)).ok());
  ASSERT_NE(medium.store(), nullptr);
  EXPECT_EQ(medium.store()->size_bytes(), uint64_t{1} << 20);
}

TEST(Medium, KeepsTheStoreWhileItIsNotUsed) {
  MemoryLimit memory;
  DeviceCounters all;
  Medium medium{{.name = "test", .cache_name = "test cache", .memory = memory, .counters = all}};
  ASSERT_TRUE(medium.Prepare(Config(2, true)).ok());
  Write(medium, (1 << 20) + 5, "kept");
  ASSERT_TRUE(medium.Prepare(Config(1, false)).ok());
  EXPECT_EQ(medium.stored_pages(), 1);
  EXPECT_EQ(medium.store()->size_bytes(), uint64_t{2} << 20);
}

TEST(Medium, FollowsTheSize) {
  MemoryLimit memory;
  DeviceCounters all;
  Medium medium{{.name = "test", .cache_name = "test cache", .memory = memory, .counters = all}};
  ASSERT_TRUE(medium.Prepare(Config(2, true)).ok());
  Write(medium, 5, "stays");
  Write(medium, (1 << 20) + 5, "goes");
  ASSERT_TRUE(medium.Prepare(Config(1, true)).ok());
  EXPECT_EQ(medium.stored_pages(), 1);
  ASSERT_TRUE(medium.Prepare(Config(0, true)).ok());
  EXPECT_EQ(medium.stored_pages(), 0);
}

// What a smaller size cuts off is lost, so that it waits for whatever may fail.
TEST(Medium, IsAsItWasWhenThereCanBeNoCache) {
  MemoryLimit memory;
  DeviceCounters all;
  Medium medium{{.name = "test", .cache_name = "test cache", .memory = memory, .counters = all}};
  ASSERT_TRUE(medium.Prepare(Config(2, true)).ok());
  Write(medium, (1 << 20) + 5, "kept");
  DeviceConfig cached = Config(1, true);
  cached.cache_size = 1;
  for (const uint64_t size_mib : {1, 3}) {
    cached.size = size_mib;
    rlimit files = {};
    getrlimit(RLIMIT_NOFILE, &files);
    const rlimit none = {3, files.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    const absl::Status refused = medium.Prepare(cached);
    setrlimit(RLIMIT_NOFILE, &files);
    EXPECT_EQ(ErrnoOf(refused), EMFILE);
    EXPECT_EQ(medium.store()->size_bytes(), uint64_t{2} << 20);
    EXPECT_EQ(medium.cache(), nullptr);
    std::string bytes(4, '?');
    EXPECT_EQ(medium.store()->CopyOut((1 << 20) + 5, 4, bytes.data()), 0);
    EXPECT_EQ(bytes, "kept");
  }
  cached.size = 1;
  ASSERT_TRUE(medium.Prepare(cached).ok());
  EXPECT_EQ(medium.store()->size_bytes(), uint64_t{1} << 20);
}

TEST(Medium, RefusesASizeBeyondAnyFile) {
  for (const bool memory_backed : {false, true}) {
    for (const uint64_t size : {kLargestMib + 1, UINT64_MAX}) {
      MemoryLimit memory;
      DeviceCounters all;
      Medium medium{
          {.name = "test", .cache_name = "test cache", .memory = memory, .counters = all}};
      const absl::Status status = medium.Prepare(Config(size, memory_backed));
      EXPECT_EQ(ErrnoOf(status), EINVAL);
      const std::string sentence(status.message());
      EXPECT_NE(sentence.find("size"), std::string::npos) << sentence;
      EXPECT_NE(sentence.find(std::to_string(size)), std::string::npos) << sentence;
      EXPECT_NE(sentence.find(std::to_string(kLargestMib)), std::string::npos) << sentence;
      EXPECT_EQ(medium.store(), nullptr);
    }
  }
}

TEST(Medium, IsUnchangedWhenRefused) {
  MemoryLimit memory;
  DeviceCounters all;
  Medium medium{{.name = "test", .cache_name = "test cache", .memory = memory, .counters = all}};
  ASSERT_TRUE(medium.Prepare(Config(1, true)).ok());
  Write(medium, 0, "kept");
  EXPECT_FALSE(medium.Prepare(Config(kLargestMib + 1, true)).ok());
  EXPECT_EQ(medium.store()->size_bytes(), uint64_t{1} << 20);
  EXPECT_EQ(medium.stored_pages(), 1);
}

TEST(Medium, TakesTheLargestSize) {
  MemoryLimit memory;
  DeviceCounters all;
  Medium medium{{.name = "test", .cache_name = "test cache", .memory = memory, .counters = all}};
  ASSERT_TRUE(medium.Prepare(Config(kLargestMib, true)).ok());
  Write(medium, (kLargestMib << 20) - 3, "end");
  EXPECT_EQ(medium.stored_pages(), 1);
}

}  // namespace
}  // namespace rnullfs
