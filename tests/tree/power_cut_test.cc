// A disk whose power is cut while somebody has it, as its directory shows it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "tree/node_test.h"
#include "tree/restore_test.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;

class PowerCutTest : public NodeTest {
 protected:
  void SetUp() override {
    ASSERT_THAT(node_->WriteJson({.data = R"({"size": 2, "blocksize": 512, "memory_backed": true,
                                              "history": 2, "power": true})"}),
                IsOk());
  }
};

TEST_F(PowerCutTest, IsHeldUntilTheLastClose) {
  const uint64_t first = OpenDisk().value().number;
  const uint64_t second = OpenDisk("fio (pid 8)").value().number;
  EXPECT_EQ(WriteDisk(0, std::string(512, 'a')), 0);
  EXPECT_THAT(node_->Cut({}), IsOk());
  EXPECT_EQ(Get("power"), "0\n");
  EXPECT_TRUE(node_->has_disk());
  EXPECT_EQ(node_->facts().size_bytes, uint64_t{2} << 20);
  EXPECT_EQ(WriteDisk(0, std::string(512, 'b')), EIO);
  EXPECT_THAT(OpenDisk(), Refused(ENODEV));
  EXPECT_THAT(node_->HoldDisk("truncate (pid 9)"), Refused(ENODEV));
  EXPECT_THAT(Set("power", "1"), Refused(EBUSY));
  EXPECT_THAT(node_->last_error(), HasSubstr("it has been cut, and cannot be on again"));
  EXPECT_THAT(Set("power", "0"), IsOk()) << "which it is";
  EXPECT_THAT(Set("blocksize", "4096"), IsOk()) << "as of a disk that is off";
  EXPECT_THAT(node_->Retire(), Refused(EBUSY));
  node_->CloseDisk(first);
  EXPECT_TRUE(node_->has_disk());
  node_->CloseDisk(second);
  EXPECT_FALSE(node_->has_disk());
  EXPECT_EQ(node_->device(), nullptr);
  ASSERT_THAT(Set("power", "1"), IsOk());
  EXPECT_EQ(ReadDisk(0, 512), std::string(512, '\0')) << "no flush had covered it";
  EXPECT_THAT(node_->Cut({}), IsOk());
  EXPECT_FALSE(node_->has_disk()) << "nobody has it";
  EXPECT_THAT(node_->Retire(), IsOk());
}

TEST_F(PowerCutTest, IsRefusedWhereNothingIsKnown) {
  ASSERT_THAT(Set("history", "0"), IsOk());
  EXPECT_THAT(node_->Cut({}), Refused(EINVAL));
  EXPECT_EQ(Get("power"), "1\n");
  ASSERT_THAT(Set("cut_keeps", "all"), IsOk());
  ASSERT_TRUE(OpenDisk("losetup (pid 7)", O_WRONLY).ok());
  EXPECT_EQ(WriteDisk(0, std::string(512, 'a')), 0);
  EXPECT_THAT(node_->Cut({}), IsOk());
}

TEST_F(PowerCutTest, OfWhatTheKernelServesIsRefused) {
  obstacle_ = "";
  ASSERT_THAT(Set("history", "0"), IsOk());
  ASSERT_THAT(Set("cut_keeps", "all"), IsOk());
  const DiskHandle handle = OpenDisk().value();
  ASSERT_NE(handle.backing_id, 0);
  EXPECT_THAT(node_->Cut({}), Refused(EBUSY));
  EXPECT_THAT(node_->last_error(), HasSubstr("while the kernel serves the disk by itself"));
  node_->CloseDisk(handle.number);
  EXPECT_THAT(node_->Cut({}), IsOk());
}

}  // namespace
}  // namespace rnullfs
