// config.json as programs see it: opens, writes, closes, and what they leave in last_error.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "json/json.h"
#include "tree/device_directory.h"
#include "tree/node_test.h"
#include "tree/refused.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr bool kAppend = true;

using ConfigFileTest = NodeTest;

// One open of the file, written to from its start.
class Open {
 public:
  explicit Open(const std::shared_ptr<DeviceNode>& node, bool append = false)
      : file_(DeviceDirectory(node, Sections())
                  .Lookup("config.json")
                  ->Open(append ? O_RDWR | O_APPEND : O_RDWR, ++handles_)
                  .value()) {}

  absl::Status Write(std::string_view data) {
    const absl::StatusOr<uint64_t> taken = file_->Write(offset_, data);
    if (taken.ok()) offset_ += *taken;
    return taken.status();
  }
  absl::Status Close() { return file_->Flush(); }
  FileHandle& operator*() { return *file_; }

 private:
  static inline uint64_t handles_ = 0;
  const std::unique_ptr<FileHandle> file_;
  uint64_t offset_ = 0;
};

TEST_F(ConfigFileTest, ShowsTheConfiguration) {
  Open open(node_);
  EXPECT_EQ((*open).Read(0, 65536).value(), ShowJson(Settings()));
  EXPECT_THAT(Set("size", "5"), IsOk());
  EXPECT_THAT((*open).Read(0, 65536).value(), HasSubstr("\"size\": 5,"));
}

TEST_F(ConfigFileTest, APieceThatHasToWaitIsWrittenAgain) {
  ASSERT_THAT(Set("power", "1"), IsOk());
  const uint64_t handle = OpenDisk().value().number;
  Open open(node_);
  EXPECT_THAT(open.Write(R"({"power": false, )"), IsOk());
  const std::string_view rest = R"("size": 5})";
  const uint64_t offset = std::string_view(R"({"power": false, )").size();
  EXPECT_THAT((*open).Write(offset, rest, {.if_open = IfOpen::kAgain}), Refused(EAGAIN));
  EXPECT_THAT((*open).Write(offset, rest, {.if_open = IfOpen::kAgain}), Refused(EAGAIN));
  node_->CloseDisk(handle);
  EXPECT_THAT((*open).Write(offset, rest, {.if_open = IfOpen::kAgain}), IsOk());
  EXPECT_EQ(node_->settings().config.size, 5U);
  EXPECT_THAT(open.Close(), IsOk());
}

TEST_F(ConfigFileTest, TakesWhatItShows) {
  Open open(node_);
  EXPECT_THAT(open.Write((*open).Read(0, 65536).value()), IsOk());
  EXPECT_THAT(open.Close(), IsOk());
  EXPECT_EQ(node_->settings(), Settings());
}

TEST_F(ConfigFileTest, RefusesWithTheWriteThatCompletesTheObject) {
  Open open(node_);
  EXPECT_THAT(open.Write(R"({"size": 5, "block)"), IsOk());
  EXPECT_THAT(open.Write(R"(size": 513)"), IsOk());
  EXPECT_THAT(open.Write("}"), RefusedWith(EINVAL, "513"));
  EXPECT_EQ(node_->settings(), Settings());
  EXPECT_THAT(node_->last_error(), HasSubstr("513"));
  EXPECT_THAT(open.Close(), IsOk());  // nothing is unfinished
  EXPECT_THAT(node_->last_error(), HasSubstr("513"));
}

TEST_F(ConfigFileTest, TruncatedAtOpenAsAShellDoes) {
  Open open(node_);
  EXPECT_THAT((*open).Truncate(0), IsOk());
  EXPECT_THAT(open.Write("{\"size\": 5}\n"), IsOk());
  EXPECT_THAT(open.Close(), IsOk());
  EXPECT_EQ(node_->settings().config.size, 5U);
}

TEST_F(ConfigFileTest, RefusesAnUnfinishedTextWhenItIsClosed) {
  Open open(node_);
  EXPECT_THAT(open.Write(R"({"size": 5)"), IsOk());
  EXPECT_THAT(node_->last_error(), IsEmpty());
  EXPECT_THAT(open.Close(), RefusedWith(EINVAL, "the text ends"));
  EXPECT_THAT(node_->last_error(), HasSubstr("the text ends"));
  EXPECT_EQ(node_->settings(), Settings());
}

// Only the byte behind a word tells the library that it may not stand there; a close tells, too.
TEST_F(ConfigFileTest, RefusesAWordThatMayNotStandThereWhenItIsClosed) {
  Open open(node_);
  EXPECT_THAT(open.Write("{tru"), IsOk());
  EXPECT_THAT(open.Close(), RefusedWith(EINVAL, "a key in double quotes"));
  Open other(node_);
  EXPECT_THAT(other.Write("{tru"), IsOk());
  EXPECT_THAT(other.Write("\n"), RefusedWith(EINVAL, "column 2: \"tru"));
  EXPECT_THAT(other.Close(), IsOk());
}

// A shell whose commands inherit the descriptor: every one of them closes its duplicate.
TEST_F(ConfigFileTest, GoesOnAfterADuplicateWasClosed) {
  Open open(node_);
  EXPECT_THAT(open.Close(), IsOk());
  for (const char* piece : {"{\n", "\"size\": 5", ", \"blocksize\": 512"}) {
    EXPECT_THAT(open.Write(piece), IsOk());
    EXPECT_THAT(open.Close(), Refused(EINVAL));
  }
  EXPECT_THAT(open.Write("}\n"), IsOk());
  EXPECT_THAT(open.Close(), IsOk());
  EXPECT_EQ(node_->settings().config.size, 5U);
  EXPECT_EQ(node_->settings().config.blocksize, 512U);
  EXPECT_THAT(node_->last_error(), IsEmpty());
}

// printf ... >> config.json, a piece at a time.
TEST_F(ConfigFileTest, AppendingGoesOnAcrossOpens) {
  for (const char* piece : {R"({"size")", ": 5", "0 "}) {
    Open open(node_, kAppend);
    EXPECT_THAT(open.Write(piece), IsOk());
    EXPECT_THAT(open.Close(), Refused(EINVAL)) << piece;
  }
  EXPECT_EQ(node_->settings(), Settings());
  Open last(node_, kAppend);
  EXPECT_THAT(last.Write("}"), IsOk());
  EXPECT_THAT(last.Close(), IsOk());
  EXPECT_EQ(node_->settings().config.size, 50U);
  EXPECT_THAT(node_->last_error(), IsEmpty());
}

TEST_F(ConfigFileTest, AppendingBeginsAnewAfterAWriteThatSucceeded) {
  Open unfinished(node_);
  EXPECT_THAT(unfinished.Write(R"({"size")"), IsOk());
  EXPECT_THAT(unfinished.Close(), Refused(EINVAL));
  EXPECT_THAT(Set("blocksize", "512"), IsOk());
  Open open(node_, kAppend);
  EXPECT_THAT(open.Write(R"({"size": 5})"), IsOk());
  EXPECT_EQ(node_->settings().config.size, 5U);
}

TEST_F(ConfigFileTest, AnOpenThatDoesNotAppendIgnoresWhatAnotherLeft) {
  Open unfinished(node_);
  EXPECT_THAT(unfinished.Write(R"({"size")"), IsOk());
  EXPECT_THAT(unfinished.Close(), Refused(EINVAL));
  Open open(node_);
  EXPECT_THAT(open.Close(), IsOk());
  EXPECT_THAT(open.Write(R"({"size": 5})"), IsOk());
  EXPECT_EQ(node_->settings().config.size, 5U);
}

TEST_F(ConfigFileTest, ReasonsOfRefusedWritesOutlastTheClose) {
  Open gap(node_);
  EXPECT_THAT((*gap).Write(5000, "x"), Refused(EINVAL));
  EXPECT_THAT(gap.Close(), IsOk());
  EXPECT_THAT(node_->last_error(), HasSubstr("from the beginning"));

  Open large(node_);
  EXPECT_THAT(large.Write(std::string((256 << 10) + 1, ' ')), Refused(EFBIG));
  EXPECT_THAT(large.Close(), IsOk());
  EXPECT_THAT(node_->last_error(), HasSubstr("262144"));
}

// vim, when the write of an edited text has failed.
TEST_F(ConfigFileTest, PuttingBackWhatWasThereKeepsTheReason) {
  const std::string before = ShowJson(node_->settings());
  EXPECT_THAT(Open(node_).Write(R"({"size": "much"})"), Refused(EINVAL));
  EXPECT_THAT(Open(node_).Write(before), IsOk());
  EXPECT_THAT(node_->last_error(), HasSubstr("much"));
  EXPECT_THAT(Open(node_).Write(R"({"size": 6})"), IsOk());
  EXPECT_THAT(node_->last_error(), IsEmpty());
}

TEST_F(ConfigFileTest, AReadersCloseSaysNothingOfAnothersText) {
  Open reader(node_);
  Open writer(node_);
  EXPECT_THAT(writer.Write(R"({"size": )"), IsOk());
  EXPECT_THAT(reader.Close(), IsOk());
  EXPECT_THAT(node_->last_error(), IsEmpty());
}

TEST_F(ConfigFileTest, AnotherWriteInBetweenLeavesAnOpenTextAlone) {
  Open open(node_);
  EXPECT_THAT(open.Write(R"({"size": )"), IsOk());
  EXPECT_THAT(Set("blocksize", "512"), IsOk());
  EXPECT_THAT(open.Write("7}"), IsOk());
  EXPECT_EQ(node_->settings().config.size, 7U);
}

TEST_F(ConfigFileTest, EndsAtTheNulOfACProgram) {
  EXPECT_THAT(Open(node_).Write(std::string_view("{\"size\": 7}\0", 12)), IsOk());
  EXPECT_EQ(node_->settings().config.size, 7U);
}

TEST_F(ConfigFileTest, IsRefusedOnceTheDeviceIsGone) {
  Open open(node_);
  ASSERT_THAT(node_->Retire(), IsOk());
  EXPECT_THAT(open.Write(R"({"size": 5})"), Refused(ENOENT));
}

}  // namespace
}  // namespace rnullfs
