#include "guard/descriptors.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/memfd_name.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

UniqueFd Memfd(const std::string& name) {
  return UniqueFd(memfd_create(name.c_str(), MFD_CLOEXEC));
}

uint64_t InodeOf(const UniqueFd& fd) {
  struct stat status = {};
  fstat(fd.get(), &status);
  return status.st_ino;
}

TEST(Descriptors, AreToldApartByWhatTheyAre) {
  EXPECT_EQ(KindOf(Memfd(DiskMemfdName(7, "fast")).get()), KeptKind::kDisk);
  EXPECT_EQ(KindOf(Memfd(std::string(kStateMemfdName)).get()), KeptKind::kState);
  EXPECT_EQ(KindOf(Memfd("something else").get()), KeptKind::kOther);
  EXPECT_EQ(KindOf(UniqueFd(open("/dev/null", O_RDONLY)).get()), KeptKind::kOther);
  EXPECT_EQ(KindOf(-1), KeptKind::kOther);
}

TEST(Descriptors, AreClosedByTheFile) {
  UniqueFd one = Memfd(DiskMemfdName(1, "one"));
  const UniqueFd two = Memfd(DiskMemfdName(2, "two"));
  const int max = HighestDescriptor();
  EXPECT_THAT(CollectKept(max), testing::UnorderedElementsAre(one.get(), two.get()));
  CloseKept(max, InodeOf(one));
  EXPECT_THAT(CollectKept(max), testing::ElementsAre(two.get()));
  one.Release();
  CloseKept(max, 1);
  EXPECT_THAT(CollectKept(max), testing::ElementsAre(two.get()));
}

TEST(Descriptors, AreInheritedByAProgramOnlyWhenToldSo) {
  const UniqueFd kept = Memfd(DiskMemfdName(1, "one"));
  const UniqueFd other = Memfd("other");
  SetInherited(HighestDescriptor(), true);
  EXPECT_EQ(fcntl(kept.get(), F_GETFD), 0);
  EXPECT_EQ(fcntl(other.get(), F_GETFD), FD_CLOEXEC);
  SetInherited(HighestDescriptor(), false);
  EXPECT_EQ(fcntl(kept.get(), F_GETFD), FD_CLOEXEC);
}

TEST(MemfdName, IsReadBackFromALink) {
  const auto disk = ParseDiskMemfd("/memfd:rnullfs:12:a:b (deleted) (deleted)");
  ASSERT_TRUE(disk.has_value());
  EXPECT_EQ(disk->id, 12U);
  EXPECT_EQ(disk->device, "a:b (deleted)");
  for (const char* link : {"", "/memfd:rnullfs:12", "/memfd:rnullfs::x (deleted)", "/dev/fuse",
                           "/memfd:rnullfs:x:y (deleted)", "/memfd:rnullfs-state (deleted)",
                           "/memfd:rnullfs:99999999999999999999:y (deleted)"}) {
    EXPECT_FALSE(ParseDiskMemfd(link).has_value()) << link;
  }
  EXPECT_TRUE(IsStateMemfd("/memfd:rnullfs-state (deleted)"));
  EXPECT_FALSE(IsStateMemfd("/memfd:rnullfs-state2 (deleted)"));
}

}  // namespace
}  // namespace rnullfs
