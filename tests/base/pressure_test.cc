#include "base/pressure.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/process.h"

#ifndef PR_GET_IO_FLUSHER
#define PR_GET_IO_FLUSHER 58  // Linux 5.6
#endif

namespace rnullfs {
namespace {

// The test's exit status where the kernel keeps this process from what is tested.
constexpr int kNotPossible = 77;

// What it changes cannot be taken back by a test: each runs in a process of its own.
template <typename Body>
int InChild(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define EXPECT_IN_CHILD(...)                                                 \
  do {                                                                       \
    const int status = InChild(__VA_ARGS__);                                 \
    if (status == kNotPossible) GTEST_SKIP() << "it takes CAP_SYS_RESOURCE"; \
    EXPECT_EQ(status, 0) << "the step of the child that failed";             \
  } while (false)

int IoFlusher() { return prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0); }

void DropCapability(unsigned capability) {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct sets[2] = {};
  if (syscall(SYS_capget, &header, sets) != 0) return;
  sets[capability / 32].effective &= ~(1U << capability % 32);
  syscall(SYS_capset, &header, sets);
}

TEST(PrepareForPressure, MarksThisThreadAndThoseToCome) {
  EXPECT_IN_CHILD([] {
    if (!PrepareForPressure().io_flusher) return kNotPossible;
    if (IoFlusher() != 1) return 1;
    int in_thread = 0;
    std::thread([&] { in_thread = IoFlusher(); }).join();
    return in_thread == 1 ? 0 : 2;
  });
}

TEST(PrepareForPressure, SaysWhatTheKernelRefuses) {
  EXPECT_IN_CHILD([] {
    DropCapability(CAP_SYS_RESOURCE);
    return !PrepareForPressure().io_flusher && IoFlusher() != 1 ? 0 : 1;
  });
}

TEST(PressureWarning, IsOneSentenceForAllThatWasRefused) {
  EXPECT_EQ(PressureWarning({.io_flusher = true, .locked = true, .oom_score = true}), "");
  const std::string all = PressureWarning({});
  EXPECT_NE(all.find("PR_SET_IO_FLUSHER"), std::string::npos) << all;
  EXPECT_NE(all.find("mlockall"), std::string::npos) << all;
  EXPECT_NE(all.find("oom_score_adj"), std::string::npos) << all;
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 0) << all;
  const std::string one = PressureWarning({.io_flusher = true, .locked = false, .oom_score = true});
  EXPECT_EQ(one.find("PR_SET_IO_FLUSHER"), std::string::npos) << one;
}

TEST(PrepareForPressure, IsRefusedAllWithoutCapabilities) {
#ifdef RNULLFS_SANITIZED
  constexpr bool kLockingIsReal = false;  // their mlockall() does nothing, and says that it did
#else
  constexpr bool kLockingIsReal = true;
#endif
  EXPECT_IN_CHILD([] {
    const rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    setrlimit(RLIMIT_MEMLOCK, &none);
    DropCapability(CAP_SYS_RESOURCE);
    DropCapability(CAP_IPC_LOCK);
    const Pressure pressure = PrepareForPressure();
    if (pressure.io_flusher) return 1;
    if (kLockingIsReal && pressure.locked) return 2;
    return pressure.oom_score ? 3 : 0;
  });
}

// It would hold for now, and a mapping that comes later would fail (EAGAIN).
TEST(PrepareForPressure, LockingNeedsMoreThanALimitThatSuffices) {
#ifdef RNULLFS_SANITIZED
  GTEST_SKIP() << "their mlockall() does nothing, and says that it did";
#endif
  EXPECT_IN_CHILD([] {
    rlimit some = {};
    getrlimit(RLIMIT_MEMLOCK, &some);
    some.rlim_cur = some.rlim_max = std::min<rlim_t>(some.rlim_max, rlim_t{1} << 30);
    if (setrlimit(RLIMIT_MEMLOCK, &some) != 0) return kNotPossible;
    DropCapability(CAP_IPC_LOCK);
    if (PrepareForPressure().locked) return 1;
    constexpr size_t kMuch = size_t{2} << 30;
    void* const memory =
        mmap(nullptr, kMuch, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? 2 : 0;
  });
}

TEST(ResetSignals, TakesBackWhatTheParentIgnored) {
  EXPECT_IN_CHILD([] {
    for (const int signal : {SIGCHLD, SIGTERM, SIGPIPE}) std::signal(signal, SIG_IGN);
    std::signal(SIGUSR1, [](int) {});
    ResetSignals();
    for (const int signal : {SIGCHLD, SIGTERM, SIGPIPE}) {
      if (std::signal(signal, SIG_DFL) != SIG_DFL) return signal;
    }
    return std::signal(SIGUSR1, SIG_DFL) == SIG_DFL ? 100 : 0;  // a handler stays
  });
}

}  // namespace
}  // namespace rnullfs
