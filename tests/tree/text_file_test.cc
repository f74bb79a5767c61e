#include "tree/text_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "tree/device_directory.h"
#include "tree/node_test.h"
#include "tree/refused.h"

namespace rnullfs {
namespace {

using testing::IsEmpty;

TEST(TextFile, ShowsOneStateFromItsStartToItsEnd) {
  std::string state = "before";
  TextFile file([&state] { return state; });
  EXPECT_EQ(file.Read(0, 3).value(), "bef");
  state = "AFTERWARDS";
  EXPECT_EQ(file.Read(3, 100).value(), "ore");
  EXPECT_EQ(file.Read(6, 100).value(), "");
  EXPECT_EQ(file.Read(0, 100).value(), "AFTERWARDS");
}

TEST(TextFile, HasAStateOfItsOwnForEachOpen) {
  int opens = 0;
  const auto show = [&opens] { return "reader " + std::to_string(++opens); };
  TextFile first(show);
  TextFile second(show);
  EXPECT_EQ(first.Read(0, 6).value(), "reader");
  EXPECT_EQ(second.Read(0, 100).value(), "reader 2");
  EXPECT_EQ(first.Read(6, 100).value(), " 1");
}

TEST(TextFile, ReadsAnywhereWithoutHavingReadTheStart) {
  TextFile file([] { return "0123456789"; });
  EXPECT_EQ(file.Read(8, 100).value(), "89");
  EXPECT_EQ(file.Read(10, 100).value(), "");
  EXPECT_EQ(file.Read(UINT64_MAX, 100).value(), "");
  EXPECT_EQ(file.Read(4, UINT64_MAX).value(), "456789");
}

TEST(TextFile, ShowsNothingOfAnotherStateBehindItsEnd) {
  std::string state = "before";
  TextFile file([&state] { return state; });
  EXPECT_EQ(file.Read(0, 100).value(), "before");
  state = "and much longer afterwards";
  EXPECT_EQ(file.Read(6, 100).value(), "");
  EXPECT_EQ(file.Read(0, 100).value(), state);
}

TEST(TextFile, TakesNoWrites) {
  TextFile file([] { return "text"; });
  EXPECT_THAT(file.Write(0, "x"), Refused(EACCES));
  EXPECT_THAT(file.Truncate(0), Refused(EACCES));
  EXPECT_THAT(file.Flush(), IsOk());
}

class AttributeFileTest : public NodeTest {
 protected:
  const std::unique_ptr<FileHandle> size_ =
      DeviceDirectory(node_, Sections()).Lookup("size")->Open(O_RDWR).value();
};

TEST_F(AttributeFileTest, TakesOneWriteAsOneValueWhateverItsOffset) {
  EXPECT_THAT(size_->Write(0, "8"), IsOk());
  EXPECT_EQ(size_->Read(0, 100).value(), "8\n");
  EXPECT_THAT(size_->Write(1, "16\n"), IsOk());
  EXPECT_EQ(size_->Read(0, 100).value(), "16\n");
  EXPECT_THAT(size_->Write(1'000'000, "32"), IsOk());
  EXPECT_EQ(size_->Read(0, 100).value(), "32\n");
}

TEST_F(AttributeFileTest, TakesAtMost4095Bytes) {
  const std::string spaces(4094, ' ');
  EXPECT_EQ(size_->Write(0, spaces + "1").value(), 4095U);
  EXPECT_EQ(node_->settings().config.size, 1U);
  EXPECT_EQ(size_->Write(0, spaces + "23").value(), 4095U);
  EXPECT_EQ(node_->settings().config.size, 2U);
  EXPECT_THAT(size_->Write(0, spaces + " 3"), Refused(EINVAL));
  EXPECT_EQ(node_->settings().config.size, 2U);
}

TEST_F(AttributeFileTest, TakesTheNulsBehindAText) {
  EXPECT_EQ(size_->Write(0, "7\n" + std::string(4094, '\0')).value(), 4096U);
  EXPECT_EQ(size_->Read(0, 100).value(), "7\n");
  EXPECT_EQ(size_->Write(512, std::string(3584, '\0')).value(), 3584U);
  EXPECT_EQ(size_->Read(0, 100).value(), "7\n");
}

TEST_F(AttributeFileTest, HasNoLengthToChange) {
  EXPECT_THAT(size_->Truncate(0), IsOk());
  EXPECT_THAT(size_->Truncate(100), IsOk());
  EXPECT_EQ(size_->Read(0, 100).value(), "4096\n");
}

TEST_F(AttributeFileTest, IsRefusedOnceTheDeviceIsGone) {
  ASSERT_THAT(node_->Retire(), IsOk());
  EXPECT_THAT(size_->Write(0, "8"), Refused(ENOENT));
}

TEST_F(AttributeFileTest, KeepsTheReasonOfARefusal) {
  EXPECT_THAT(size_->Write(0, "much"), Refused(EINVAL));
  EXPECT_THAT(node_->last_error(), testing::HasSubstr("much"));
  EXPECT_THAT(size_->Write(0, "8"), IsOk());
  EXPECT_THAT(node_->last_error(), IsEmpty());
}

}  // namespace
}  // namespace rnullfs
