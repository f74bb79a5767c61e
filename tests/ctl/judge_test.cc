// Whether one state recovers, with states of plain files.

#include "ctl/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "crash_tree.h"
#include "tree/refused.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kLong = 60'000'000'000;

// What a state tells when its commands have been there.
struct After {
  std::string identity = {};
  std::vector<uint64_t> written = {};
  std::vector<uint64_t> consulted = {};
};

class JudgeTest : public testing::Test {
 protected:
  JudgeTest() { tree_.MakeCut(5); }

  MadeState State(const std::string& name, const After& after = {}) {
    absl::StatusOr<MadeState> state = tree_.crash().Make(5, name);
    const std::string path = absl::StrCat("crash/5/", name);
    tree_.Write(path + "/disk", "the disk of " + name);
    tree_.Write(path + "/state.json",
                absl::StrCat("{\"atomic\": 4096, \"identity\": \"", after.identity,
                             "\", \"written\": [", absl::StrJoin(after.written, ","), "]}\n"));
    std::vector<std::string> units;
    for (const uint64_t unit : after.consulted) {
      units.push_back(absl::StrCat("{\"unit\":", unit, ",\"versions\":2,\"version\":1}"));
    }
    tree_.Write(path + "/consulted", absl::StrCat("[", absl::StrJoin(units, ","), "]\n"));
    return std::move(state).value();
  }
  // A command that leaves a line each time.
  std::string Noting(const std::string& what, const std::string& then = "true") const {
    return absl::StrCat("echo ", what, " >> ", tree_.path(), "/notes; ", then);
  }
  std::string Notes() const { return tree_.Read("notes"); }
  static Judge With(const std::string& recover, const std::string& check,
                    int64_t timeout_nsec = kLong) {
    return Judge(
        {.recover = Command(recover), .check = Command(check), .timeout_nsec = timeout_nsec});
  }
  static Verdict Try(const Judge& judge, const MadeState& state, JudgedImages* images = nullptr) {
    absl::StatusOr<Verdict> verdict = judge.Try(state, "/dev/null", images);
    EXPECT_THAT(verdict, IsOk());
    return verdict.ok() ? *std::move(verdict) : Verdict();
  }
  static std::vector<uint64_t> UnitsOf(const Verdict& verdict) {
    std::vector<uint64_t> units;
    for (const ConsultedUnit& each : verdict.consulted) units.push_back(each.unit);
    return units;
  }

  CrashTree tree_;
};

// --- What passes ---------------------------------------------------------------------------------

TEST_F(JudgeTest, ACheckAlone) {
  const MadeState state = State("a", {.identity = "11", .written = {1}, .consulted = {4, 9}});
  const Verdict passed = Try(With("", "grep -q 'disk of a' {}"), state);
  EXPECT_FALSE(passed.failed);
  EXPECT_EQ(passed.what, "");
  EXPECT_EQ(passed.output, "");
  EXPECT_THAT(UnitsOf(passed), ElementsAre(4, 9));
  EXPECT_EQ(passed.consulted[0].version, 1U);
  EXPECT_EQ(passed.identity, "") << "of what recovery has made, and there is none";
  for (const int status : {1, 2, 4, 128, 255}) {
    const Verdict failed = Try(With("", absl::StrCat("echo no >&2; exit ", status)), state);
    EXPECT_TRUE(failed.failed);
    EXPECT_EQ(failed.output, "no\n");
    EXPECT_THAT(UnitsOf(failed), ElementsAre(4, 9));
  }
  EXPECT_EQ(Try(With("", "exit 4"), state).what, "check: exit status 4");
  EXPECT_EQ(Try(With("", "kill -11 $$"), state).what, "check: ended by signal 11");
}

TEST_F(JudgeTest, RecoveryMayHaveRepaired) {
  for (const int status : {0, 1, 2, 3}) {
    const MadeState state = State("a", {.identity = "11", .consulted = {4}});
    const Judge judge = With(Noting("recover", absl::StrCat("exit ", status)), Noting("check"));
    const Verdict verdict = Try(judge, state);
    EXPECT_FALSE(verdict.failed) << status;
    EXPECT_EQ(verdict.identity, "11");
    EXPECT_THAT(UnitsOf(verdict), ElementsAre(4));
    EXPECT_EQ(Try(With("exit 1", "exit 1"), state).what, "check: exit status 1");
    std::filesystem::remove_all(state.path());
  }
  EXPECT_EQ(Notes(), "recover\ncheck\nrecover\ncheck\nrecover\ncheck\nrecover\ncheck\n");
}

TEST_F(JudgeTest, RecoveryThatFailsIsNotChecked) {
  const MadeState state = State("a", {.identity = "11", .consulted = {4}});
  JudgedImages images;
  for (const int status : {4, 8, 12, 32, 128}) {
    const Judge judge = With(absl::StrCat("echo no; exit ", status), Noting("check"));
    const Verdict verdict = Try(judge, state, &images);
    EXPECT_TRUE(verdict.failed);
    EXPECT_EQ(verdict.what, absl::StrCat("recover: exit status ", status));
    EXPECT_EQ(verdict.output, "no\n");
    EXPECT_THAT(UnitsOf(verdict), ElementsAre(4));
  }
  EXPECT_EQ(Try(With("kill -6 $$", "true"), state).what, "recover: ended by signal 6");
  EXPECT_EQ(Notes(), "");
  EXPECT_EQ(images.Find("11"), nullptr);
}

TEST_F(JudgeTest, WhatDoesNotEndFails) {
  const MadeState state = State("a", {.identity = "11"});
  constexpr int64_t kShort = 1'000'000'000;
  const Verdict check = Try(With("", "echo begun; sleep 1000", kShort), state);
  EXPECT_TRUE(check.failed);
  EXPECT_EQ(check.what, "check: has not ended within 1 s");
  EXPECT_EQ(check.output, "begun\n");
  const Verdict recover = Try(With("sleep 1000", Noting("check"), kShort / 20), state);
  EXPECT_TRUE(recover.failed);
  EXPECT_THAT(recover.what, HasSubstr("recover: has not ended"));
  EXPECT_EQ(Notes(), "");
}

// --- What is no verdict --------------------------------------------------------------------------

TEST_F(JudgeTest, ACommandThatCannotBeRunIsAnError) {
  const MadeState state = State("a", {.identity = "11"});
  const std::string plain = tree_.Write("plain", "#!/bin/sh\n");
  const auto says = [&](const std::string& recover, const std::string& check) {
    return With(recover, check).Try(state, "/dev/null", nullptr);
  };
  EXPECT_THAT(says("", "rnullfs-no-such-program {}"),
              RefusedWith(ENOEXEC,
                          "check: cannot be run (exit status 127): "
                          "rnullfs-no-such-program " +
                              state.disk()));
  EXPECT_THAT(says("", "rnullfs-no-such-program '{}'"),
              RefusedWith(ENOEXEC, "check: cannot be run (exit status 127)"));
  EXPECT_THAT(says(plain, Noting("check")),
              RefusedWith(ENOEXEC, "recover: cannot be run (exit status 126): " + plain));
  EXPECT_EQ(Notes(), "");
}

TEST_F(JudgeTest, AStateThatTellsNothingIsAnError) {
  const MadeState state = State("a", {.identity = "11"});
  tree_.Write("crash/5/a/consulted", "");
  EXPECT_THAT(With("", "true").Try(state, "/dev/null", nullptr),
              RefusedWith(EINVAL, "/crash/5/a/consulted"));
  EXPECT_THAT(With("true", "true").Try(state, "/dev/null", nullptr), Refused(EINVAL));
  std::filesystem::remove(state.path() + "/consulted");
  EXPECT_THAT(With("", "false").Try(state, "/dev/null", nullptr), Refused(ENOENT));
  const MadeState other = State("b");
  std::filesystem::remove(other.path() + "/state.json");
  EXPECT_THAT(With("true", "true").Try(other, "/dev/null", nullptr),
              RefusedWith(ENOENT, "/crash/5/b/state.json"));
  EXPECT_THAT(With("", "true").Try(other, "/dev/null", nullptr), IsOk()) << "nobody asks for it";
}

// --- Images that were judged before --------------------------------------------------------------

TEST_F(JudgeTest, AnImageIsJudgedOnce) {
  const MadeState first = State("a", {.identity = "11", .written = {2, 3}, .consulted = {9, 4}});
  const MadeState second = State("b", {.identity = "11", .written = {3, 9}, .consulted = {7}});
  const MadeState other = State("c", {.identity = "12", .consulted = {7}});
  for (const bool fails : {false, true}) {
    JudgedImages images;
    const Judge judge = With("true", Noting("check", fails ? "echo no; exit 4" : "true"));
    const Verdict judged = Try(judge, first, &images);
    EXPECT_THAT(judged.touched, IsEmpty());
    const Verdict again = Try(judge, second, &images);
    EXPECT_EQ(again.failed, fails);
    EXPECT_EQ(again.what, fails ? "check: exit status 4" : "");
    EXPECT_EQ(again.output, fails ? "no\n" : "");
    EXPECT_EQ(again.identity, "11");
    EXPECT_THAT(UnitsOf(again), ElementsAre(7));
    // What the first had read or written, but what this one has written itself.
    EXPECT_THAT(again.touched, ElementsAre(2, 4));
    Try(judge, other, &images);
  }
  EXPECT_EQ(Notes(), "check\ncheck\ncheck\ncheck\n");
}

TEST_F(JudgeTest, UnlessItIsToBeJudgedEachTime) {
  const MadeState state = State("a", {.identity = "11"});
  const MadeState unknown = State("b", {.identity = ""});
  JudgedImages images;
  Try(With("true", Noting("one")), state);
  Try(With("true", Noting("two")), state, &images);
  Try(With("true", Noting("three")), state);
  EXPECT_EQ(Notes(), "one\ntwo\nthree\n");
  // Nor without recovery, nor one that nobody can tell from others.
  Try(With("", Noting("four")), state, &images);
  Try(With("true", Noting("five")), unknown, &images);
  Try(With("true", Noting("six")), unknown, &images);
  EXPECT_EQ(Notes(), "one\ntwo\nthree\nfour\nfive\nsix\n");
}

TEST_F(JudgeTest, FromManyThreads) {
  std::vector<MadeState> states;
  states.reserve(8);
  for (int i = 0; i < 8; ++i) {
    states.push_back(State(std::to_string(i), {.identity = std::to_string(i / 4)}));
  }
  JudgedImages images;
  const Judge judge = With("true", "! grep -q 'of [4-7]' {}");
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int times = 0; times < 5; ++times) {
        EXPECT_EQ(Try(judge, states[static_cast<size_t>(i)], &images).failed, i >= 4);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_NE(images.Find("1"), nullptr);
  EXPECT_TRUE(images.Find("1")->failed);
  EXPECT_FALSE(images.Find("0")->failed);
}

// --- What the commands are told ------------------------------------------------------------------

}  // namespace
}  // namespace rnullfs
