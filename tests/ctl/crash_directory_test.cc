// A disk's crash/, as it looks from outside.

#include "ctl/crash_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crash_tree.h"
#include "tree/refused.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

// As a mount shows it.
constexpr char kState[] = R"({
  "cut": 81734,
  "moment": 81733,
  "atomic": 4096,
  "units": 3,
  "states_log2": 12.5,
  "identity": "00ab23ffffffffff",
  "forgotten": true,
  "lost_bytes": 8192,
  "kept": [
    {
      "sequence": 81730,
      "op": "write",
      "sector": 16,
      "sectors": 8
    },
    {
      "sequence": 81733,
      "op": "zero",
      "sector": 0,
      "sectors": 1
    }
  ],
  "lost": [
    {
      "sequence": 81731,
      "op": "discard",
      "sector": 18446744073709551608,
      "sectors": 24,
      "lost_sectors": 16
    }
  ],
  "written": [
    3,
    18446744073709551615
  ]
}
)";

class CrashDirectoryTest : public testing::Test {
 protected:
  CrashDirectoryTest() { tree_.MakeCut(81734); }
  // Made, with the files that a mount has there at once.
  MadeState Make(const std::string& name) const {
    MadeState state = tree_.crash().Make(81734, name).value();
    for (const char* file : {"choices", "without", "only"}) {
      tree_.Write(absl::StrCat("crash/81734/", name, "/", file), "what was there before, longer");
    }
    return state;
  }
  std::string In(const std::string& name) const { return tree_.Read("crash/81734/" + name); }
  bool Has(const std::string& name) const { return tree_.Has("crash/81734/" + name); }

  CrashTree tree_;
  const CrashDirectory crash_{tree_.path()};
};

// --- Moments -------------------------------------------------------------------------------------

TEST_F(CrashDirectoryTest, SaysWhatToDoWhereThereIsNone) {
  EXPECT_THAT(crash_.Check(), RefusedWith(ENOENT, tree_.path() + ": is no disk of rnullfs"));
  tree_.Write("config.json", "{}");
  EXPECT_THAT(crash_.Check(), RefusedWith(ENOENT, tree_.path() + "/history (MiB)"));
  tree_.MakeCut(99);
  tree_.Mark("now", "99");
  EXPECT_THAT(crash_.Check(), IsOk());
  EXPECT_EQ(crash_.device(), tree_.path());
  EXPECT_EQ(crash_.PathOf(99, "fail-1"), tree_.path() + "/crash/99/fail-1");
}

TEST_F(CrashDirectoryTest, AMomentIsANumberOrAMark) {
  tree_.Mark("now", "99");
  tree_.Mark("begin", "10");
  tree_.Mark("0x10", "18446744073709551615");
  tree_.Mark("elsewhere", "../99");
  EXPECT_THAT(*crash_.NumberOf("now"), 99U);
  EXPECT_THAT(*crash_.NumberOf("begin"), 10U);
  EXPECT_THAT(*crash_.NumberOf("0x10"), UINT64_MAX);
  EXPECT_THAT(*crash_.NumberOf("0"), 0U);
  EXPECT_THAT(*crash_.NumberOf("4711"), 4711U) << "whether there is one is not asked";
  for (const char* none : {"", "end", "-1", "007", "./begin", "../crash/begin", "elsewhere",
                           "81734/", "18446744073709551616", "begin "}) {
    EXPECT_THAT(crash_.NumberOf(none), RefusedWith(ENOENT, absl::StrCat(none, ": is no mark of ")));
  }
}

TEST_F(CrashDirectoryTest, CutsLieBetween) {
  for (const uint64_t number : {5, 10, 9, 100, 50}) tree_.MakeCut(number);
  tree_.Mark("begin", "10");
  tree_.Mark("now", "99");
  tree_.Write("crash/README", "");
  EXPECT_THAT(*crash_.Cuts(0, 100000), ElementsAre(5, 9, 10, 50, 100, 81734, 100000));
  EXPECT_THAT(*crash_.Cuts(9, 50), ElementsAre(9, 10, 50)) << "both, and each once";
  EXPECT_THAT(*crash_.Cuts(6, 49), ElementsAre(9, 10, 49)) << "that one, whatever it is";
  EXPECT_THAT(*crash_.Cuts(7, 7), ElementsAre(7));
  EXPECT_THAT(CrashDirectory(tree_.path() + "/nothing").Cuts(0, 3), Refused(ENOENT))
      << "is not the same as none";
}

TEST_F(CrashDirectoryTest, MarksByTheirNumbers) {
  EXPECT_THAT(crash_.Marks(), IsEmpty());
  tree_.Mark("now", "99");
  tree_.Mark("begin", "10");
  tree_.Mark("txn-17", "40");
  tree_.Mark("elsewhere", "../99");
  tree_.Write("crash/README", "");
  EXPECT_THAT(crash_.Marks(), ElementsAre(Pair(10, "begin"), Pair(40, "txn-17")));
  EXPECT_THAT(CrashDirectory(tree_.path() + "/nothing").Marks(), IsEmpty());
}

// --- What may be lost ----------------------------------------------------------------------------

TEST_F(CrashDirectoryTest, Units) {
  tree_.Write("crash/81734/units.json",
              "[{\"unit\":2,\"versions\":[81700,81730],\"newest\":1},"
              "{\"unit\":18446744073709551615,\"versions\":[0,3,4],\"newest\":0}]\n");
  const auto units = crash_.Units(81734).value();
  ASSERT_EQ(units.size(), 2U);
  EXPECT_EQ(units[0].unit, 2U);
  EXPECT_THAT(units[0].versions, ElementsAre(81700, 81730));
  EXPECT_EQ(units[0].newest, 1U);
  EXPECT_EQ(units[1].unit, UINT64_MAX);
  EXPECT_THAT(units[1].versions, ElementsAre(0, 3, 4));
  EXPECT_EQ(units[1].newest, 0U);
  tree_.Write("crash/81734/units.json", "[]\n");
  EXPECT_THAT(*crash_.Units(81734), IsEmpty());
}

TEST_F(CrashDirectoryTest, UnitsThatCannotBeHad) {
  EXPECT_THAT(crash_.Units(5),
              RefusedWith(ENOENT, "has no cut 5, or its history has forgotten it"));
  tree_.Write("last_error", "  crash: there is no cut 5\n");
  for (const char* text : {"", "[", "[]]", "{\"unit\":", "[{\"unit\":2,}]"}) {
    const std::string path = tree_.Write("crash/81734/units.json", text);
    EXPECT_THAT(crash_.Units(81734), RefusedWith(EINVAL, path)) << text;
  }
}

TEST_F(CrashDirectoryTest, AStateTellsWhatItIs) {
  tree_.Write("crash/81734/all/state.json", kState);
  const StateInfo info = crash_.Info(81734, "all").value();
  EXPECT_EQ(info.unit_bytes, 4096U);
  EXPECT_EQ(info.states_log2, 12.5);
  EXPECT_TRUE(info.forgotten);
  EXPECT_EQ(info.identity, "00ab23ffffffffff");
  EXPECT_THAT(info.written, ElementsAre(3, UINT64_MAX));
  ASSERT_EQ(info.requests.size(), 3U) << "kept and lost by their numbers";
  const LostRequest& lost = info.requests[1];
  EXPECT_EQ(info.requests[0].sequence, 81730U);
  EXPECT_EQ(info.requests[0].op, "write");
  EXPECT_EQ(info.requests[0].lost_sectors, 0U);
  EXPECT_EQ(lost.sequence, 81731U);
  EXPECT_EQ(lost.op, "discard");
  EXPECT_EQ(lost.sector, 18446744073709551608U);
  EXPECT_EQ(lost.sectors, 24U);
  EXPECT_EQ(lost.lost_sectors, 16U);
  EXPECT_EQ(info.requests[2].sequence, 81733U);
}

TEST_F(CrashDirectoryTest, AStateOfWhichLittleIsKnown) {
  tree_.Write("crash/81734/all/state.json",
              "{\"atomic\": 512, \"states_log2\": 0.0, \"forgotten\": false}");
  const StateInfo info = crash_.Info(81734, "all").value();
  EXPECT_EQ(info.states_log2, 0);
  EXPECT_FALSE(info.forgotten);
  EXPECT_EQ(info.identity, "");
  EXPECT_THAT(info.requests, IsEmpty());
  EXPECT_THAT(info.written, IsEmpty());
  EXPECT_THAT(crash_.Info(81734, "none"), Refused(ENOENT));
}

// --- States --------------------------------------------------------------------------------------

TEST_F(CrashDirectoryTest, AStateIsThereAsLongAsTheObject) {
  {
    MadeState state = crash_.Make(81734, "mine").value();
    EXPECT_EQ(state.path(), tree_.path() + "/crash/81734/mine");
    EXPECT_EQ(state.disk(), state.path() + "/disk");
    EXPECT_TRUE(Has("mine"));
    const MadeState moved(std::move(state));
    EXPECT_TRUE(Has("mine"));
  }
  EXPECT_FALSE(Has("mine"));
  crash_.Make(81734, "mine")->Keep();
  EXPECT_TRUE(Has("mine"));
  EXPECT_THAT(crash_.Make(81734, "mine").status(), IsOk()) << "it was left by somebody";
  EXPECT_FALSE(Has("mine"));
}

TEST_F(CrashDirectoryTest, AStateThatCannotBeMade) {
  tree_.Write("last_error", "there are too many\n");
  EXPECT_THAT(crash_.Make(5, "mine"), RefusedWith(ENOENT, "/crash/5/mine"));
  EXPECT_THAT(crash_.Make(5, "mine"), RefusedWith(ENOENT, "(there are too many)"));
  tree_.Write("crash/81734/busy/disk", "somebody has it");
  EXPECT_THAT(crash_.Make(81734, "busy"), Refused(EEXIST));
  EXPECT_TRUE(Has("busy/disk"));
}

TEST_F(CrashDirectoryTest, AStateIsDescribed) {
  const MadeState state = Make("mine");
  EXPECT_THAT(state.Choose({}), IsOk());
  EXPECT_EQ(In("mine/choices"), "{}");
  EXPECT_THAT(state.Choose({{UINT64_MAX, 3}, {2, 0}}), IsOk());
  EXPECT_EQ(In("mine/choices"), "{\"2\":0,\"18446744073709551615\":3}");
  EXPECT_THAT(state.Choose({}, /*newest=*/true), IsOk());
  EXPECT_EQ(In("mine/choices"), "{\"others\":\"newest\"}");
  EXPECT_THAT(state.Choose({{2, 0}}, /*newest=*/true), IsOk());
  EXPECT_EQ(In("mine/choices"), "{\"others\":\"newest\",\"2\":0}");
  EXPECT_THAT(state.ChooseNamed("torn-4-8"), IsOk());
  EXPECT_EQ(In("mine/choices"), "\"torn-4-8\"");
  EXPECT_THAT(state.LoseRequests({}), IsOk());
  EXPECT_EQ(In("mine/without"), "[]");
  EXPECT_THAT(state.LoseRequests({81731, 7}), IsOk());
  EXPECT_EQ(In("mine/without"), "[81731,7]");
  EXPECT_THAT(crash_.Make(81734, "none")->Choose({}), RefusedWith(ENOENT, "none/choices"));
}

TEST_F(CrashDirectoryTest, AStateTellsWhatWasRead) {
  const MadeState state = Make("mine");
  EXPECT_THAT(state.Consulted(), RefusedWith(ENOENT, "mine/consulted"));
  tree_.Write("crash/81734/mine/consulted", "[]\n");
  EXPECT_THAT(*state.Consulted(), IsEmpty());
  tree_.Write("crash/81734/mine/consulted",
              "[{\"unit\":9,\"versions\":3,\"version\":2},{\"unit\":4,\"versions\":2,"
              "\"version\":0}]\n");
  const auto consulted = state.Consulted().value();
  ASSERT_EQ(consulted.size(), 2U);
  EXPECT_EQ(consulted[0].unit, 9U);
  EXPECT_EQ(consulted[0].version, 2U);
  EXPECT_EQ(consulted[1].unit, 4U);
  EXPECT_EQ(consulted[1].version, 0U);
  tree_.Write("crash/81734/mine/state.json", kState);
  EXPECT_EQ(state.Info()->identity, "00ab23ffffffffff");
}

}  // namespace
}  // namespace rnullfs
