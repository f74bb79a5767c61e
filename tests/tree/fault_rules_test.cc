// faults/ in a device's directory.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "rnullfs/rule_attributes.h"
#include "tree/refused.h"
#include "tree/tree_test.h"

namespace rnullfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FaultRulesTreeTest : public TreeTest {
 protected:
  FaultRulesTreeTest() {
    EXPECT_THAT(node_->WriteJson({.data = R"({"size": 1, "memory_backed": true, "power": true})"}),
                IsOk());
  }

  absl::StatusOr<std::shared_ptr<Entry>> Make(std::string_view name, uint64_t request = 0) {
    return tree_.Find(faults_)->Make(name, {.request = request});
  }
  Inode Rule(const std::string& name) { return Find(faults_, name); }
  absl::Status Write(Inode file, std::string_view text, uint64_t offset = 0, uint64_t request = 0) {
    const auto handle = tree_.Find(file)->Open(O_WRONLY);
    if (!handle.ok()) return handle.status();
    return (*handle)->Write(offset, text, {.request = request}).status();
  }
  std::string Read(Inode file) {
    return tree_.Find(file)->Open(O_RDONLY).value()->Read(0, 65536).value();
  }
  std::string Rules() { return Read(Find(faults_, "rules")); }
  int Submit(Op op) {
    int error = -1;
    node_->device()->Submit(
        {.op = op, .length = 512},
        {.complete = [](void* to, const Answer& answer) { *static_cast<int*>(to) = answer.error; },
         .tag = &error});
    return error;
  }

  const std::shared_ptr<DeviceNode> node_ = Device("d");
  const Inode directory_ = MakeInode(node_->id(), kDirectorySlot);
  const Inode faults_ = Find(directory_, "faults");
};

TEST_F(FaultRulesTreeTest, ARuleIsADirectoryOfItsAttributesAndCounts) {
  EXPECT_THAT(List(faults_), ElementsAre(".", "..", "new", "rules"));
  ASSERT_THAT(Make("slow"), IsOk());
  EXPECT_THAT(List(faults_), ElementsAre(".", "..", "slow", "new", "rules"));
  EXPECT_EQ(tree_.Find(faults_)->Stat()->st_nlink, 3U);
  EXPECT_THAT(List(Rule("slow")),
              ElementsAre(".", "..", "op", "sectors", "probability", "interval", "times", "space",
                          "after", "once_per_sector", "action", "error", "when", "delay", "lanes",
                          "torn", "acknowledged", "corrupt", "shift", "stored", "enabled", "seen",
                          "hits", "pending", "last"));
  for (const std::string& name : List(Rule("slow"))) {
    if (name[0] == '.') continue;
    const Inode file = Find(Rule("slow"), name);
    EXPECT_EQ(tree_.Find(file)->inode(), file) << name;
    const mode_t mode = FindRuleAttribute(name) != nullptr ? 0644 : 0444;
    EXPECT_EQ(tree_.Find(file)->Stat()->st_mode, S_IFREG | mode) << name;
  }
  EXPECT_EQ(tree_.Find(Rule("slow"))->Stat()->st_mode, S_IFDIR | 0755U);
  EXPECT_FALSE(tree_.Lookup(faults_, "slow").value()->lasting());
  EXPECT_THAT(tree_.Lookup(Rule("slow"), "speed"), Refused(ENOENT));
}

TEST_F(FaultRulesTreeTest, AListingGoesOnWhereItWas) {
  for (const char* name : {"c", "a", "b"}) ASSERT_THAT(Make(name), IsOk());
  uint64_t next = 0;
  EXPECT_THAT(List(faults_, 0, 3, &next), ElementsAre(".", "..", "c"));
  EXPECT_THAT(tree_.Remove(faults_, "a"), IsOk());
  EXPECT_THAT(List(faults_, next, 1, &next), ElementsAre("b"));
  ASSERT_THAT(Make("a"), IsOk());
  EXPECT_THAT(List(faults_, next), ElementsAre("a", "new", "rules"));
}

TEST_F(FaultRulesTreeTest, WhatIsWrittenIsDone) {
  ASSERT_THAT(Make("x"), IsOk());
  EXPECT_THAT(Write(Find(Rule("x"), "op"), "flush\n"), IsOk());
  EXPECT_EQ(Submit(Op::kFlush), 0);
  EXPECT_THAT(Write(Find(Rule("x"), "enabled"), "1\n"), IsOk());
  EXPECT_EQ(Submit(Op::kFlush), EIO);
  EXPECT_EQ(Read(Find(Rule("x"), "hits")), "1\n");
  EXPECT_EQ(Read(Find(Rule("x"), "last")), "0 flush 0 0 error EIO\n");
  EXPECT_EQ(Rules(), "x: flush error EIO\n");
  EXPECT_THAT(Write(Find(Rule("x"), "error"), "EWHAT"), Refused(EINVAL));
  EXPECT_THAT(node_->last_error(), HasSubstr("faults/x/error: EWHAT is not accepted"));
  EXPECT_THAT(Write(Find(Rule("x"), "hits"), "0"), Refused(EACCES));
  EXPECT_EQ(Submit(Op::kFlush), EIO);
  EXPECT_THAT(tree_.Remove(faults_, "x"), IsOk());
  EXPECT_EQ(Submit(Op::kFlush), 0);
}

TEST_F(FaultRulesTreeTest, AFileThatIsOpenKnowsItsRuleAlone) {
  ASSERT_THAT(Make("x"), IsOk());
  const Inode before = Find(Rule("x"), "op");
  const auto open = tree_.Find(before)->Open(O_RDWR).value();
  EXPECT_THAT(tree_.Remove(faults_, "x"), IsOk());
  EXPECT_THAT(open->Write(0, "read", {}), Refused(ENOENT));
  ASSERT_THAT(Make("x"), IsOk());
  EXPECT_NE(Find(Rule("x"), "op"), before);
  EXPECT_THAT(tree_.Find(before)->Stat(), Refused(ENOENT));
}

TEST_F(FaultRulesTreeTest, LinesAddAndAListReplaces) {
  const Inode all = Find(faults_, "rules");
  const Inode anew = Find(faults_, "new");
  EXPECT_THAT(Write(anew, "read error\n"), IsOk());
  EXPECT_THAT(Write(anew, "read error\nz: off all hang\n"), IsOk());
  EXPECT_EQ(Rules(), "rule1: read error EIO\nrule2: read error EIO\nz: off all hang\n");
  EXPECT_THAT(Write(anew, ""), Refused(EINVAL));
  EXPECT_THAT(Write(all, "a: write error\nb: hnag\n"), Refused(EINVAL));
  EXPECT_EQ(Rules(), "rule1: read error EIO\nrule2: read error EIO\nz: off all hang\n");
  EXPECT_THAT(Write(all, "a: write error\n"), IsOk());
  EXPECT_THAT(Write(all, "b: read error\n", 15), IsOk());
  EXPECT_EQ(Rules(), "a: write error EIO\nb: read error EIO\n");
  EXPECT_THAT(Write(all, std::string((1 << 20) + 1, ' ')), Refused(EFBIG));
  EXPECT_THAT(Write(all, "\n"), IsOk());
  EXPECT_EQ(Rules(), "");
  EXPECT_EQ(Read(anew), "");
}

TEST_F(FaultRulesTreeTest, CountsBeginAnewWithEachWriteToARuleThatIsOn) {
  const Inode all = Find(faults_, "rules");
  const Inode anew = Find(faults_, "new");
  const auto failing = [&] {
    std::string row;
    for (int i = 0; i < 3; ++i) row += Submit(Op::kRead) == 0 ? '.' : 'x';
    return row;
  };
  EXPECT_THAT(Write(anew, "x: read error times 1"), IsOk());
  EXPECT_EQ(failing(), "x..");
  EXPECT_THAT(Write(anew, "x: read error times 1"), IsOk());
  EXPECT_EQ(failing(), "x..");
  EXPECT_THAT(Write(Find(Rule("x"), "times"), "1"), IsOk());
  EXPECT_EQ(failing(), "x..");
  EXPECT_THAT(Write(anew, "y: write error"), IsOk());
  EXPECT_EQ(failing(), "...") << "it was another rule's";
  EXPECT_THAT(Write(all, "x: read error times 1\nz: write error"), IsOk());
  EXPECT_EQ(failing(), "...") << "a list says all, and changes what differs";
  EXPECT_THAT(
      node_->WriteJson({.data = R"({"faults": {"x": {"op": "read", "error": 5, "times": 1}}})"}),
      IsOk());
  EXPECT_EQ(failing(), "...");
  EXPECT_THAT(Write(all, "x: read error times 2"), IsOk());
  EXPECT_EQ(failing(), "xx.");
  EXPECT_THAT(Write(Find(Rule("x"), "enabled"), "0"), IsOk());
  EXPECT_EQ(Read(Find(Rule("x"), "hits")), "2\n");
  EXPECT_THAT(Write(Find(Rule("x"), "times"), "1"), IsOk());
  EXPECT_EQ(Read(Find(Rule("x"), "hits")), "2\n");
  EXPECT_THAT(Write(Find(Rule("x"), "enabled"), "1"), IsOk());
  EXPECT_EQ(failing(), "x..");
}

// Who did it died before the answer.
TEST_F(FaultRulesTreeTest, TheSameRequestIsDoneOnce) {
  ASSERT_THAT(Make("x", 70), IsOk());
  EXPECT_THAT(Make("x", 70), IsOk());
  EXPECT_THAT(Make("x", 71), Refused(EEXIST));
  EXPECT_THAT(tree_.Remove(faults_, "x", 72), IsOk());
  EXPECT_THAT(tree_.Remove(faults_, "x", 72), IsOk());
  EXPECT_THAT(tree_.Remove(faults_, "x", 73), Refused(ENOENT));
  const Inode anew = Find(faults_, "new");
  EXPECT_THAT(Write(anew, "read error\n", 0, 74), IsOk());
  EXPECT_THAT(Write(anew, "read error\n", 0, 74), IsOk());
  EXPECT_EQ(Rules(), "rule1: read error EIO\n");
}

TEST_F(FaultRulesTreeTest, NamesAreThoseThatALineCanSay) {
  for (const char* name : {"a b", "a,b", "a:b", "a=b", "-a", ".a", "a\nb"}) {
    EXPECT_THAT(Make(name), Refused(EINVAL)) << name;
  }
  EXPECT_THAT(Make(std::string(65, 'a')), Refused(EINVAL));
  EXPECT_THAT(Make(std::string(256, 'a')), Refused(ENAMETOOLONG));
  EXPECT_THAT(Make(std::string(64, 'a')), IsOk());
  EXPECT_THAT(tree_.Find(faults_)->Rename("a", *tree_.Find(faults_), "b", 0), Refused(EPERM));
}

}  // namespace
}  // namespace rnullfs
