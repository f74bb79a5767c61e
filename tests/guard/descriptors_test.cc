#include "guard/descriptors.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>

#include "base/kept_file.h"
#include "base/memfd_name.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

UniqueFd Memfd(const std::string& name) {
  return UniqueFd(memfd_create(name.c_str(), MFD_CLOEXEC));
}

TEST(Descriptors, AreToldApartByWhatTheyAre) {
  EXPECT_EQ(KindOf(Memfd(DiskMemfdName(7, "fast")).get()), KeptKind::kDisk);
  EXPECT_EQ(KindOf(Memfd(std::string(kStateMemfdName)).get()), KeptKind::kState);
  EXPECT_EQ(KindOf(Memfd("something else").get()), KeptKind::kOther);
  EXPECT_EQ(KindOf(UniqueFd(open("/dev/null", O_RDONLY)).get()), KeptKind::kOther);
  EXPECT_EQ(KindOf(-1), KeptKind::kOther);
}

// Whatever it is called: who has a mount namespace can call an image anything.
TEST(Descriptors, AKeptFileIsOneOfADisk) {
  for (const std::string& name : {std::string(kStateMemfdName), std::string("anything")}) {
    const UniqueFd file = Memfd(name);
    ASSERT_TRUE(MarkAsKept(file.get()));
    EXPECT_EQ(KindOf(file.get()), KeptKind::kDisk);
    const UniqueFd other(dup(file.get()));  // as one that came from another process
    EXPECT_EQ(KindOf(other.get()), KeptKind::kDisk);
  }
  UniqueFd image(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(KindOf(image.get()), KeptKind::kOther);
  ASSERT_TRUE(MarkAsKept(image.get()));
  const UniqueFd again(dup(image.get()));  // another disk's
  const KeptDescriptors kept;
  EXPECT_EQ(kept.Disks().size(), 2U);
  kept.Drop(FileIdOf(image.get()));
  image.Release();
  EXPECT_EQ(kept.Disks().size(), 1U) << "one for each disk";
  kept.SetInherited(true);
  EXPECT_EQ(fcntl(kept.Disks()[0], F_GETFD), 0);
  kept.SetInherited(false);
}

TEST(Descriptors, AreClosedByTheFile) {
  UniqueFd one = Memfd(DiskMemfdName(1, "one"));
  const UniqueFd two = Memfd(DiskMemfdName(2, "two"));
  const KeptDescriptors kept;
  EXPECT_THAT(kept.Disks(), testing::UnorderedElementsAre(one.get(), two.get()));
  kept.Drop(FileIdOf(one.get()));
  EXPECT_THAT(kept.Disks(), testing::ElementsAre(two.get()));
  one.Release();
  FileId elsewhere = FileIdOf(two.get());
  ++elsewhere.device;
  kept.Drop(elsewhere);
  EXPECT_THAT(kept.Disks(), testing::ElementsAre(two.get())) << "another file system's inode";
}

// No message about a disk takes /dev/fuse or the state away.
TEST(Descriptors, OnlyDisksAreClosed) {
  const UniqueFd state = Memfd(std::string(kStateMemfdName));
  const UniqueFd other = Memfd("other");
  const KeptDescriptors kept;
  for (const UniqueFd* each : {&state, &other}) {
    kept.Drop(FileIdOf(each->get()));
    EXPECT_GE(fcntl(each->get(), F_GETFD), 0);
  }
}

TEST(Descriptors, SomeAreLeftToAWorker) {
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const auto room_at = [&before](rlim_t limit, int fd) {
    const rlimit lowered = {.rlim_cur = limit, .rlim_max = before.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &lowered), 0);
    return LeavesRoom(fd);
  };
  EXPECT_TRUE(room_at(256, 223));
  EXPECT_FALSE(room_at(256, 224)) << "32 are left";
  EXPECT_TRUE(room_at(64, 47));
  EXPECT_FALSE(room_at(64, 48)) << "a quarter is left";
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST(Descriptors, AreInheritedByAProgramOnlyWhenToldSo) {
  const UniqueFd disk = Memfd(DiskMemfdName(1, "one"));
  const UniqueFd other = Memfd("other");
  const KeptDescriptors kept;
  kept.SetInherited(true);
  EXPECT_EQ(fcntl(disk.get(), F_GETFD), 0);
  EXPECT_EQ(fcntl(other.get(), F_GETFD), FD_CLOEXEC);
  kept.SetInherited(false);
  EXPECT_EQ(fcntl(disk.get(), F_GETFD), FD_CLOEXEC);
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
