// What a workload had been told is durable, and when.

#include "ctl/promises.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crash_tree.h"
#include "tree/refused.h"

namespace rnullfs {
namespace {

class PromisesTest : public testing::Test {
 protected:
  PromisesTest() {
    tree_.Mark("begin", "10");
    tree_.Mark("txn-17", "40");
    tree_.Mark("now", "99");
  }
  absl::StatusOr<Promises> Read(const std::string& text) {
    return Promises::Read(tree_.Write("acked", text), tree_.crash());
  }
  static std::string FileOf(const Promises& promises, uint64_t cut) {
    return promises.FileAt(cut).value();
  }
  static std::string At(const Promises& promises, uint64_t cut) {
    std::ifstream file(FileOf(promises, cut));
    EXPECT_TRUE(file.is_open());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  CrashTree tree_;
};

TEST_F(PromisesTest, NoneAreNoFile) {
  EXPECT_EQ(FileOf(Promises(), 7), "/dev/null");
  const Promises none = Read("\n  \n\t\n").value();
  EXPECT_EQ(At(none, 99), "");
}

TEST_F(PromisesTest, HoldFromTheirMarkOn) {
  const Promises promises =
      Read("begin it is empty\ntxn-17 order 17 is paid\n50 50 is a number").value();
  EXPECT_EQ(At(promises, 9), "");
  EXPECT_EQ(At(promises, 10), "it is empty\n");
  EXPECT_EQ(At(promises, 11), "it is empty\n");
  EXPECT_EQ(At(promises, 39), "it is empty\n");
  EXPECT_EQ(At(promises, 40), "it is empty\norder 17 is paid\n");
  EXPECT_EQ(At(promises, 41), "it is empty\norder 17 is paid\n");
  EXPECT_EQ(At(promises, 51), "it is empty\norder 17 is paid\n50 is a number\n");
  EXPECT_EQ(At(promises, UINT64_MAX), At(promises, 51));
}

TEST_F(PromisesTest, AreInTheOrderInWhichTheyWereGiven) {
  const Promises promises = Read("30 c\n\n20 a\n  \n30 d\nbegin 0\n20 b\n0 before all\n").value();
  EXPECT_EQ(At(promises, 100), "before all\n0\na\nb\nc\nd\n");
}

TEST_F(PromisesTest, AreWhatIsBehindTheFirstBlank) {
  const Promises promises = Read("1  two  blanks \n2 it's \"quoted\" \xc3\xa4\\n\n").value();
  EXPECT_EQ(At(promises, 3), " two  blanks \nit's \"quoted\" \xc3\xa4\\n\n");
}

TEST_F(PromisesTest, ALineThatIsNoneIsRefused) {
  const std::string path = tree_.path() + "/acked";
  const std::string wants = ": a line is a mark and what had been promised by then";
  EXPECT_THAT(Read("begin"), RefusedWith(EINVAL, absl::StrCat(path, ":1", wants)));
  EXPECT_THAT(Read("\nbegin a\n17  \n"), RefusedWith(EINVAL, absl::StrCat(path, ":3", wants)));
  EXPECT_THAT(Read("begin a\nbegin\tb"), RefusedWith(EINVAL, absl::StrCat(path, ":2", wants)));
  EXPECT_THAT(Read("1 a\n2 b\n\n\nx"), RefusedWith(EINVAL, absl::StrCat(path, ":5", wants)));
}

TEST_F(PromisesTest, AMarkThatThereIsNotIsRefused) {
  const std::string path = tree_.path() + "/acked";
  EXPECT_THAT(Read("begin a\n\nend b\n"),
              RefusedWith(ENOENT, absl::StrCat(path, ":3: end: is no mark of ", tree_.path())));
  EXPECT_THAT(Read("-1 a"), RefusedWith(ENOENT, absl::StrCat(path, ":1: -1: is no mark")));
  EXPECT_THAT(Read("../begin a"), RefusedWith(ENOENT, path + ":1: ../begin"));
}

TEST_F(PromisesTest, AFileThatThereIsNotIsRefused) {
  EXPECT_THAT(Promises::Read(tree_.path() + "/nothing", tree_.crash()),
              RefusedWith(ENOENT, tree_.path() + "/nothing"));
}

TEST_F(PromisesTest, TheirFilesGoWithThem) {
  std::optional<Promises> moved;
  std::string two;
  std::string three;
  {
    Promises promises = Read("1 a\n").value();
    two = FileOf(promises, 2);
    three = FileOf(promises, 3);
    EXPECT_NE(two, three);
    EXPECT_EQ(FileOf(promises, 2), two) << "asked again it is the same";
    moved.emplace(std::move(promises));
  }
  EXPECT_TRUE(std::filesystem::exists(two)) << "they go with the last";
  Promises assigned;
  assigned = *std::move(moved);
  EXPECT_EQ(FileOf(assigned, 2), two);
  EXPECT_EQ(At(assigned, 2), "a\n");
  assigned = Promises();
  EXPECT_FALSE(std::filesystem::exists(two));
  EXPECT_FALSE(std::filesystem::exists(three));
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(two).parent_path()));
}

}  // namespace
}  // namespace rnullfs
