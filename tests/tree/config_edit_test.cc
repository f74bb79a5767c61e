#include "tree/config_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"
#include "tree/refused.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kObject = R"({"power": true, "size": 64})";

// A file that shows the default configuration, and what has been applied to it.
class ConfigEditTest : public testing::Test {
 protected:
  absl::Status Write(uint64_t offset, std::string_view data) { return Put(offset, data, false); }
  absl::Status Append(std::string_view data) { return Put(0, data, true); }

  // Several writes one behind the other; the first refusal ends them.
  absl::Status WriteAll(const std::vector<std::string>& pieces) {
    uint64_t offset = 0;
    for (const std::string& piece : pieces) {
      if (absl::Status status = Write(offset, piece); !status.ok()) return status;
      offset += piece.size();
    }
    return absl::OkStatus();
  }

  ConfigEdit edit_;
  uint64_t handle_ = 2;  // the open that writes
  const std::string shown_ = ShowJson(Settings());
  std::vector<std::string> applied_;

 private:
  std::map<uint64_t, uint64_t> ends_;  // by open

  absl::Status Put(uint64_t offset, std::string_view data, bool append) {
    const ConfigEdit::Piece piece = {.handle = handle_,
                                     .offset = offset,
                                     .data = data,
                                     .append = append,
                                     .last_end = ends_[handle_]};
    const absl::Status status = edit_.Write(piece, shown_, [this](std::string_view text) {
      applied_.emplace_back(text);
      return ApplyJson(text, Settings()).status();
    });
    if (status.ok()) ends_[handle_] = offset + data.size();
    return status;
  }
};

TEST_F(ConfigEditTest, AppliesAWholeObject) {
  EXPECT_THAT(Write(0, kObject), IsOk());
  EXPECT_THAT(applied_, ElementsAre(kObject));
  EXPECT_THAT(edit_.unfinished(), IsEmpty());
}

TEST_F(ConfigEditTest, AppliesWithTheByteThatCompletesTheObject) {
  for (size_t i = 0; i < kObject.size(); ++i) {
    EXPECT_THAT(applied_, IsEmpty()) << "before byte " << i;
    ASSERT_THAT(Write(i, kObject.substr(i, 1)), IsOk());
  }
  EXPECT_THAT(applied_, ElementsAre(kObject));
  EXPECT_THAT(Write(kObject.size(), "\n"), IsOk());
  EXPECT_THAT(applied_, ElementsAre(kObject));
  EXPECT_THAT(edit_.unfinished(), IsEmpty());
}

// The pieces in which Python's json.dump() with an indent writes to an unbuffered file.
TEST_F(ConfigEditTest, TakesATokenAtATime) {
  EXPECT_THAT(WriteAll({"{", "\n  ", "\"power\"", ": ", "true", ",\n  ", "\"size\"", ": ", "64",
                        "\n", "}", "\n"}),
              IsOk());
  EXPECT_THAT(applied_, ElementsAre("{\n  \"power\": true,\n  \"size\": 64\n}"));
}

TEST_F(ConfigEditTest, TakesBlankLinesBeforeTheObject) {
  EXPECT_THAT(WriteAll({"\n", " \t", std::string(kObject)}), IsOk());
  EXPECT_EQ(applied_.size(), 1U);
}

TEST_F(ConfigEditTest, TakesOneObjectAfterTheOther) {
  EXPECT_THAT(WriteAll({R"({"size": 1})", "\n", R"({"size": 2})", "\n"}), IsOk());
  EXPECT_THAT(applied_, ElementsAre(R"({"size": 1})", "\n{\"size\": 2}"));
}

TEST_F(ConfigEditTest, BeginsAnewAtTheStart) {
  EXPECT_THAT(Write(0, R"({"size": )"), IsOk());
  EXPECT_THAT(Write(0, kObject), IsOk());
  EXPECT_THAT(Write(0, kObject), IsOk());
  EXPECT_THAT(applied_, ElementsAre(kObject, kObject));
}

TEST_F(ConfigEditTest, KnowsWhatIsUnfinished) {
  EXPECT_THAT(edit_.unfinished(), IsEmpty());
  EXPECT_THAT(Write(0, " \n"), IsOk());
  EXPECT_THAT(edit_.unfinished(), IsEmpty());
  EXPECT_THAT(Write(2, R"({"size")"), IsOk());
  EXPECT_EQ(edit_.unfinished(), " \n{\"size\"");
}

// open("r+"), json.dump(), truncate(): how a script rewrites a file in place.
TEST_F(ConfigEditTest, RewritesInPlace) {
  EXPECT_THAT(Write(0, kObject), IsOk());
  edit_.Truncate(handle_, kObject.size());
  EXPECT_THAT(applied_, ElementsAre(kObject));
  EXPECT_THAT(edit_.unfinished(), IsEmpty());
}

TEST_F(ConfigEditTest, OverlaysWhatTheFileShows) {
  const size_t at = shown_.find("4096,");  // of blocksize
  std::string expected = shown_;
  expected.replace(at, 4, "1024");
  EXPECT_THAT(Write(at, "1024"), IsOk());
  EXPECT_THAT(applied_, ElementsAre(expected));

  EXPECT_THAT(Write(at, "1024"), IsOk());  // again, now behind a text that was applied
  EXPECT_THAT(applied_, ElementsAre(expected, expected));
}

TEST_F(ConfigEditTest, OverlaysAnUnfinishedText) {
  EXPECT_THAT(Write(0, R"({"size": 64, "blocksize": )"), IsOk());
  EXPECT_THAT(Write(9, "32"), IsOk());
  EXPECT_THAT(Write(26, "512}"), IsOk());
  EXPECT_THAT(applied_, ElementsAre(R"({"size": 32, "blocksize": 512})"));
}

TEST_F(ConfigEditTest, RefusesToLeaveAGap) {
  EXPECT_THAT(Write(shown_.size() + 1, "}"), Refused(EINVAL));
  EXPECT_THAT(edit_.unfinished(), IsEmpty());

  EXPECT_THAT(Write(0, R"({"size": )"), IsOk());
  EXPECT_THAT(Write(10, "1}"), Refused(EINVAL));
  EXPECT_EQ(edit_.unfinished(), R"({"size": )");
  EXPECT_THAT(Write(UINT64_MAX, "1}"), Refused(EINVAL));
  EXPECT_THAT(applied_, IsEmpty());

  EXPECT_THAT(Write(9, "1}"), IsOk());
  EXPECT_THAT(applied_, ElementsAre(R"({"size": 1})"));
}

TEST_F(ConfigEditTest, AppendsWhereTheTextEnded) {
  edit_ = ConfigEdit({.text = R"({"size")", .handle = 9});
  EXPECT_THAT(Append(": 1"), IsOk());
  EXPECT_THAT(Append("}"), IsOk());
  EXPECT_THAT(Append(R"({"size": 2})"), IsOk());
  EXPECT_THAT(applied_, ElementsAre(R"({"size": 1})", R"({"size": 2})"));
}

// One text for all opens: of who wrote last.
TEST_F(ConfigEditTest, WhoBeginsAnotherTextTakesItsPlace) {
  EXPECT_THAT(Write(0, R"({"size": 1)"), IsOk());
  handle_ = 4;
  edit_.Truncate(handle_, 0);  // not its text
  EXPECT_EQ(edit_.unfinished(), R"({"size": 1)");
  EXPECT_THAT(Write(5000, "}"), Refused(EINVAL));
  EXPECT_EQ(edit_.unfinished(), R"({"size": 1)");
  EXPECT_THAT(Write(0, R"({"size": 2)"), IsOk());
  EXPECT_EQ(edit_.unfinished(), R"({"size": 2)");
  handle_ = 2;
  EXPECT_THAT(Write(10, "}"), Refused(EINVAL)) << "its text is gone";
  handle_ = 4;
  EXPECT_THAT(Write(10, "}"), IsOk());
  EXPECT_THAT(applied_.back(), R"({"size": 2})");
}

// The newline behind an object that was applied, when another has begun meanwhile.
TEST_F(ConfigEditTest, ABlankEndDisturbsNobody) {
  EXPECT_THAT(Write(0, kObject), IsOk());
  handle_ = 4;
  EXPECT_THAT(Write(0, R"({"size": 2)"), IsOk());
  handle_ = 2;
  EXPECT_THAT(Write(kObject.size(), "\n"), IsOk());
  EXPECT_THAT(Write(kObject.size() + 1, R"({"size": 3})"), IsOk());
  EXPECT_THAT(applied_, ElementsAre(kObject, R"({"size": 3})"));
}

TEST_F(ConfigEditTest, WhatWasPutAsideGoesOnForItsOpenAlone) {
  EXPECT_THAT(Append(R"({"size")"), IsOk());
  edit_.PutAside();
  EXPECT_THAT(Append(": 1"), IsOk());
  edit_.PutAside();
  handle_ = 4;
  EXPECT_THAT(Append(R"({"size": 2})"), IsOk());
  EXPECT_THAT(applied_, ElementsAre(R"({"size": 2})"));
}

TEST_F(ConfigEditTest, GoesOnWithTheTextOfAVersionThatKnewNoHandles) {
  edit_ = ConfigEdit({.text = R"({"size":)"});
  EXPECT_THAT(Write(8, " 1}"), IsOk());
  EXPECT_THAT(applied_, ElementsAre(R"({"size": 1})"));
}

TEST_F(ConfigEditTest, RefusesAnInvalidTextAndTakesTheNext) {
  EXPECT_THAT(Write(0, "{size: 64}"), RefusedWith(EINVAL, "column 2"));
  EXPECT_THAT(edit_.unfinished(), IsEmpty());
  EXPECT_THAT(Write(0, kObject), IsOk());
  EXPECT_THAT(Write(0, R"({"size": "many"})"), RefusedWith(EINVAL, "many"));
  EXPECT_THAT(Append(kObject), IsOk());
  EXPECT_EQ(applied_.size(), 4U);
}

TEST_F(ConfigEditTest, RefusesAsSoonAsNoObjectCanCome) {
  EXPECT_THAT(WriteAll({"{", "\"size\"", "=", "64", "}"}), Refused(EINVAL));
  EXPECT_THAT(applied_, ElementsAre("{\"size\"="));
}

TEST_F(ConfigEditTest, TakesTextUpToItsLimit) {
  const std::string padded =
      std::string(ConfigEdit::kMaxBytes - kObject.size(), ' ') + std::string(kObject);
  EXPECT_THAT(Write(0, padded), IsOk());
  EXPECT_THAT(Write(0, " " + padded), Refused(EFBIG));
  EXPECT_THAT(WriteAll({padded.substr(0, 9), padded.substr(9, ConfigEdit::kMaxBytes - 5'000),
                        std::string(9'000, ' ')}),
              Refused(EFBIG));
  EXPECT_EQ(applied_.size(), 1U);
  EXPECT_THAT(edit_.unfinished(), IsEmpty());

  EXPECT_THAT(Write(0, kObject), IsOk());
  EXPECT_EQ(applied_.size(), 2U);
}

TEST_F(ConfigEditTest, TruncateDropsWhatLiesBehind) {
  EXPECT_THAT(Write(0, R"({"size": 64)"), IsOk());
  edit_.Truncate(handle_, 100);
  EXPECT_EQ(edit_.unfinished(), R"({"size": 64)");
  edit_.Truncate(handle_, 10);
  EXPECT_EQ(edit_.unfinished(), R"({"size": 6)");
  edit_.Truncate(handle_, 0);
  EXPECT_THAT(edit_.unfinished(), IsEmpty());
  EXPECT_THAT(applied_, IsEmpty());
}

TEST_F(ConfigEditTest, TruncateReachesBackIntoWhatWasApplied) {
  EXPECT_THAT(WriteAll({std::string(kObject), R"({"size")"}), IsOk());
  edit_.Truncate(handle_, 5);
  EXPECT_THAT(edit_.unfinished(), IsEmpty());
  EXPECT_THAT(Write(5, R"({"size": 5})"), IsOk());
  EXPECT_THAT(applied_, ElementsAre(kObject, R"({"size": 5})"));
}

}  // namespace
}  // namespace rnullfs
