// A session from its first request to its end.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <future>
#include <string>
#include <string_view>
#include <thread>

#include "fuse/fake_kernel.h"
#include "fuse/fuse_test.h"
#include "fuse/served_session.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;

// Linux 6.6, newer than the <linux/fuse.h> of some systems.
constexpr uint64_t kDirectIoAllowMmap = uint64_t{1} << 36;

TEST(Negotiation, TakesWhatDisksNeedAndDeclinesWhatHarmsThem) {
  ServedSession session;
  FakeKernel kernel(session.TakeKernelEnd());
  const fuse_init_out agreed = kernel.Init();
  EXPECT_EQ(agreed.major, 7U);
  EXPECT_EQ(agreed.max_write, 1U << 20);
  EXPECT_EQ(agreed.max_pages, 256U);
  EXPECT_GE(agreed.max_background, 128U);
  EXPECT_LE(agreed.congestion_threshold, agreed.max_background);

  const uint64_t flags = agreed.flags | uint64_t{agreed.flags2} << 32;
  for (const uint64_t needed : {FUSE_ASYNC_DIO, FUSE_MAX_PAGES, FUSE_BIG_WRITES}) {
    EXPECT_EQ(flags & needed, needed);
  }
  for (const uint64_t harmful :
       {FUSE_WRITEBACK_CACHE, FUSE_ATOMIC_O_TRUNC, FUSE_AUTO_INVAL_DATA, FUSE_NO_OPEN_SUPPORT,
        FUSE_NO_OPENDIR_SUPPORT, FUSE_DO_READDIRPLUS, FUSE_POSIX_LOCKS, FUSE_FLOCK_LOCKS}) {
    EXPECT_EQ(flags & harmful, 0U) << harmful;
  }
#if RNULLFS_LIBFUSE_MINOR >= 17
  EXPECT_NE(flags & FUSE_PARALLEL_DIROPS, 0U);
  EXPECT_NE(flags & kDirectIoAllowMmap, 0U);
#endif
  session.Signal(SIGTERM);
  EXPECT_EQ(session.Wait(), 0);
}

// An old kernel, which offers nothing.
TEST(Negotiation, GetsByWithoutAnything) {
  ServedSession session;
  FakeKernel kernel(session.TakeKernelEnd());
  fuse_init_in in = {};
  in.major = 7;
  in.minor = 31;
  const FuseReply reply = kernel.Call(FUSE_INIT, 0, BytesOf(in));
  EXPECT_EQ(reply.error, 0);
  EXPECT_LE(reply.As<fuse_init_out>().max_write, 1U << 20);
  EXPECT_THAT(kernel.ReadFile(kRoot, "status.json"), HasSubstr("\"capabilities\": []"));
  session.Signal(SIGTERM);
  EXPECT_EQ(session.Wait(), 0);
}

class SessionTest : public FuseTest {
 protected:
  // Reads the file until it shows `part`.
  void AwaitText(uint64_t directory, std::string_view name, std::string_view part) {
    for (int i = 0; i < 3000; ++i) {
      if (kernel_.ReadFile(directory, name).find(part) != std::string::npos) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    FAIL() << name << " never shows " << part;
  }
};

TEST_F(SessionTest, StatusTellsWhatWasNegotiated) {
  const std::string status = kernel_.ReadFile(kRoot, "status.json");
  EXPECT_THAT(status, HasSubstr("\"async_dio\""));
#if RNULLFS_LIBFUSE_MINOR >= 17
  EXPECT_THAT(status, HasSubstr("\"parallel_dirops\""));
#endif
  EXPECT_THAT(status, HasSubstr("\"kernel_protocol\": \"7."));
  EXPECT_THAT(status, HasSubstr("\"devices\": 0"));
  EXPECT_THAT(status, HasSubstr("\"unmount_waits_for\": []"));
  kernel_.MakeDevice("d", "{}");
  EXPECT_THAT(kernel_.ReadFile(kRoot, "status.json"), HasSubstr("\"devices\": 1"));
}

// The kernel that the test plays offers a ring, like everything else.
TEST_F(SessionTest, TakesDevFuseUnlessARingIsAskedFor) {
  const std::string status = kernel_.ReadFile(kRoot, "status.json");
  EXPECT_THAT(status, HasSubstr("\"transport\": \"dev\""));
  EXPECT_THAT(status, HasSubstr("\"transport_why\": \"auto: "));
  EXPECT_THAT(status, testing::Not(HasSubstr("over_io_uring")));
}

TEST(Signals, EndASessionThatServesNobody) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    ServedSession session;
    FakeKernel kernel(session.TakeKernelEnd());
    kernel.Init();
    session.Signal(signal);
    EXPECT_EQ(session.Wait(), 0) << strsignal(signal) << session.Log();
  }
}

TEST_F(SessionTest, EndsWithDevicesThatAreOnButNotInUse) {
  const uint64_t device = kernel_.MakeDevice("d", R"({"memory_backed": true, "power": true})");
  const OpenFile disk = kernel_.OpenOf(device, "disk", O_RDWR);
  EXPECT_EQ(kernel_.Write(disk, 0, std::string(4096, 'x')).error, 0);
  kernel_.Close(disk);
}

TEST_F(SessionTest, ASignalWaitsForADiskInUse) {
  const uint64_t device = kernel_.MakeDevice("busy", R"({"memory_backed": true, "power": true})");
  const OpenFile disk = kernel_.OpenOf(device, "disk", O_RDWR);
  session_.Signal(SIGTERM);
  AwaitText(kRoot, "status.json", "\"busy\"");
  EXPECT_THAT(session_.Log(), HasSubstr("still in use: busy"));
  EXPECT_EQ(kernel_.Write(disk, 0, "still here").error, 0);
  EXPECT_EQ(kernel_.Read(disk, 0, 10).data, "still here");
  EXPECT_TRUE(session_.Running());
  EXPECT_EQ(kernel_.Flush(disk).error, 0);
  // Its reply may lose against the end.
  kernel_.Release(disk);
  EXPECT_EQ(session_.Wait(), 0);
}

TEST_F(SessionTest, ASecondSignalDoesNotWaitButForAnswers) {
  const uint64_t device =
      kernel_.MakeDevice("busy", R"({"irqmode": 2, "completion_nsec": 500000000, "power": true})");
  const OpenFile disk = kernel_.OpenOf(device, "disk", O_RDWR);
  session_.Signal(SIGTERM);
  AwaitText(kRoot, "status.json", "\"busy\"");
  std::future<FuseReply> reply = kernel_.SendRead(disk, 0, 4096);
  AwaitText(device, "stats.json", "\"in_flight\": 1");
  session_.Signal(SIGTERM);
  EXPECT_EQ(session_.Wait(), 0);
  EXPECT_EQ(FakeKernel::Await(std::move(reply)).data, std::string(4096, '\0'));
}

TEST_F(SessionTest, EndsWhenTheConnectionDoes) {
  kernel_.MakeDevice("d", R"({"power": true})");
  kernel_.HangUp();
  expected_end_ = EIO;  // nobody unmounted it
}

}  // namespace
}  // namespace rnullfs
