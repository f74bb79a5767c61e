// What no well-behaved kernel sends, or sends seldom: nothing of it may end the process badly.

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "fuse/fuse_test.h"

namespace rnullfs {
namespace {

class RobustnessTest : public FuseTest {
 protected:
  // Whether the file system still works.
  void ExpectServing() { EXPECT_EQ(kernel_.GetAttr(kRoot).error, 0); }
};

TEST_F(RobustnessTest, UnknownRequestsAreRefused) {
  const std::string payload(256, '\x5a');
  for (const uint32_t opcode :
       {7U, 19U, uint32_t{FUSE_IOCTL}, uint32_t{FUSE_POLL}, uint32_t{FUSE_COPY_FILE_RANGE},
        uint32_t{FUSE_SETUPMAPPING}, 1000U, UINT32_MAX}) {
    EXPECT_EQ(kernel_.Call(opcode, kRoot, payload).error, ENOSYS) << opcode;
    EXPECT_EQ(kernel_.Call(opcode, kRoot, {}).error, ENOSYS) << opcode;
  }
  ExpectServing();
}

// The kernel does without what it gets ENOSYS for.
TEST_F(RobustnessTest, WhatIsNotOfferedIsRefusedForGood) {
  const std::string payload = std::string(64, '\0') + "user.name" + '\0';
  for (const uint32_t opcode : {FUSE_ACCESS, FUSE_GETXATTR, FUSE_LISTXATTR, FUSE_BMAP,
                                FUSE_READDIRPLUS, FUSE_GETLK, FUSE_SETLK}) {
    EXPECT_EQ(kernel_.Call(opcode, kRoot, payload).error, ENOSYS) << opcode;
  }
}

TEST_F(RobustnessTest, AMessageWithoutArgumentsIsAnswered) {
  EXPECT_EQ(kernel_.Call(FUSE_GETATTR, kRoot, {}).error, 0);
  EXPECT_EQ(kernel_.Lookup(kRoot, "").error, ENOENT);
  ExpectServing();
}

// It ends the session as a broken connection does; the process is not killed.
TEST_F(RobustnessTest, LessThanAHeaderEndsTheSession) {
  kernel_.SendRaw("not a request");
  expected_end_ = EIO;
}

TEST_F(RobustnessTest, NodesThatDoNotExistAreNotFound) {
  for (const uint64_t node : {uint64_t{0}, uint64_t{5}, uint64_t{1} << 16, UINT64_MAX}) {
    EXPECT_EQ(kernel_.GetAttr(node).error, ENOENT) << node;
    EXPECT_EQ(kernel_.Lookup(node, "size").error, ENOENT) << node;
    EXPECT_EQ(kernel_.Open(node, O_RDONLY).error, ENOENT) << node;
    EXPECT_EQ(kernel_.ReadDirectory(node, 0, 4096).error, ENOENT) << node;
  }
}

TEST_F(RobustnessTest, RemovedNodesAreNotFound) {
  const uint64_t device = kernel_.MakeDevice("d", R"({"power": true})");
  const uint64_t size = kernel_.Find(device, "size");
  const uint64_t disk = kernel_.Find(device, "disk");
  ASSERT_EQ(kernel_.RemoveDirectory(kRoot, "d").error, 0);
  kernel_.MakeDevice("d", R"({"power": true})");  // does not bring them back
  fuse_setattr_in change = {};
  change.valid = FATTR_SIZE | FATTR_MODE;
  for (const uint64_t node : {device, size, disk}) {
    EXPECT_EQ(kernel_.GetAttr(node).error, ENOENT);
    EXPECT_EQ(kernel_.SetAttr(node, change).error, ENOENT);
    EXPECT_EQ(kernel_.Open(node, O_RDONLY).error, ENOENT);
    EXPECT_EQ(kernel_.StatFs(node).error, 0);
  }
  EXPECT_EQ(kernel_.Lookup(device, "size").error, ENOENT);
  EXPECT_EQ(kernel_.MakeDirectory(device, "nested").error, EPERM);
}

TEST_F(RobustnessTest, FilesOpenAtRmdirStaySafe) {
  const uint64_t device = kernel_.MakeDevice("d", "{}");
  const OpenFile size = kernel_.OpenOf(device, "size", O_RDWR);
  const OpenFile config = kernel_.OpenOf(device, "config.json", O_RDWR);
  const OpenFile stats = kernel_.OpenOf(device, "stats.json", O_RDONLY);
  ASSERT_EQ(kernel_.RemoveDirectory(kRoot, "d").error, 0);
  EXPECT_EQ(kernel_.Write(size, 0, "5").error, ENOENT);
  EXPECT_EQ(kernel_.Write(config, 0, "{}").error, ENOENT);
  for (const OpenFile file : {size, config, stats}) {
    EXPECT_EQ(kernel_.Read(file, 0, 4096).error, 0);
    kernel_.Close(file);
  }
}

TEST_F(RobustnessTest, ForgettingNeedsNoAnswer) {
  const uint64_t node = kernel_.Find(kRoot, "features");
  fuse_forget_in forget = {};
  forget.nlookup = 1;
  for (const uint32_t opcode : {FUSE_FORGET, FUSE_BATCH_FORGET}) {
    // A batch of none: its count is where the other's number of lookups is.
    if (opcode == FUSE_BATCH_FORGET) forget.nlookup = 0;
    fuse_in_header header = {};
    header.len = sizeof header + sizeof forget;
    header.opcode = opcode;
    header.unique = 1'000'000;
    header.nodeid = node;
    kernel_.SendRaw(std::string(BytesOf(header)).append(BytesOf(forget)));
  }
  EXPECT_EQ(kernel_.GetAttr(node).error, 0);
}

// Ctrl-C in a program that reads: the answer comes all the same.
TEST_F(RobustnessTest, AnInterruptedRequestIsAnswered) {
  const uint64_t device =
      kernel_.MakeDevice("d", R"({"irqmode": 2, "completion_nsec": 100000000, "power": true})");
  const OpenFile disk = kernel_.OpenOf(device, "disk", O_RDONLY);
  fuse_interrupt_in interrupt = {};
  interrupt.unique = kernel_.next_unique();
  std::future<FuseReply> read = kernel_.SendRead(disk, 0, 512);
  fuse_in_header header = {};
  header.len = sizeof header + sizeof interrupt;
  header.opcode = FUSE_INTERRUPT;
  header.unique = interrupt.unique | 1;
  kernel_.SendRaw(std::string(BytesOf(header)).append(BytesOf(interrupt)));
  EXPECT_EQ(FakeKernel::Await(std::move(read)).data.size(), 512U);
  kernel_.Close(disk);
}

TEST_F(RobustnessTest, ManyCallersAtOnce) {
  constexpr int kCallers = 8;
  constexpr int kRounds = 30;
  std::vector<std::thread> callers;
  callers.reserve(kCallers);
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([this, name = "device" + std::to_string(i)] {
      for (int round = 0; round < kRounds; ++round) {
        const uint64_t device =
            kernel_.MakeDevice(name, R"({"size": 1, "memory_backed": true, "power": true})");
        const OpenFile disk = kernel_.OpenOf(device, "disk", O_RDWR);
        EXPECT_EQ(kernel_.Write(disk, 4096, name).error, 0);
        EXPECT_EQ(kernel_.Read(disk, 4096, name.size()).data, name);
        kernel_.Close(disk);
        EXPECT_GE(kernel_.List(kRoot).size(), 6U);
        EXPECT_EQ(kernel_.RemoveDirectory(kRoot, name).error, 0);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(kernel_.List(kRoot).size(), 5U);
}

}  // namespace
}  // namespace rnullfs
