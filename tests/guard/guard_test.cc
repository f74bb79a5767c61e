// A guard in a process of its own, with workers that a test tells what to do.  No FUSE: what the
// guard keeps are memfds.

#include "guard/guard.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/memfd_name.h"
#include "guard/link.h"

namespace rnullfs {
namespace {

constexpr unsigned kDeathsMax = 6;

// Forks a guard whose workers run `work`, their exit status being what it returns; `said` is what
// they wrote into the pipe they were given.
struct Outcome {
  int status = 0;  // of the guard
  std::string said;
};

Outcome RunGuarded(
    const std::function<int(WorkerStart, int say)>& work,
    const std::function<void()>& before = [] {}) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t guard = fork();
  if (guard == 0) {
    close(ends[0]);
    const UniqueFd null(open("/dev/null", O_WRONLY));
    dup2(null.get(), STDERR_FILENO);
    GuardSetup setup;
    setup.program = "/nonexistent";
    setup.handover.mountpoint = "/nonexistent";
    setup.deaths_max = kDeathsMax;
    setup.serve = [&](WorkerStart start) -> int { _exit(work(std::move(start), ends[1])); };
    before();
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that hangs leaves none behind
    RunGuard(setup);
  }
  close(ends[1]);
  Outcome outcome;
  char buffer[256];
  for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof buffer)) > 0;) {
    outcome.said.append(buffer, got);
  }
  close(ends[0]);
  EXPECT_EQ(waitpid(guard, &outcome.status, 0), guard);
  return outcome;
}

void Say(int say, const std::string& text) {
  EXPECT_EQ(write(say, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

TEST(Guard, EndsAsAWorkerThatEndsByItself) {
  EXPECT_EQ(WEXITSTATUS(RunGuarded([](WorkerStart, int) { return 0; }).status), 0);
  EXPECT_EQ(WEXITSTATUS(RunGuarded([](WorkerStart, int) { return 7; }).status), 7);
  const Outcome ready = RunGuarded([](WorkerStart start, int) {
    GuardLink(std::move(start.channel)).Ready();
    return 5;
  });
  EXPECT_EQ(WEXITSTATUS(ready.status), 1) << "there is no mount to be kept";
}

TEST(Guard, GivesUpAWorkerThatDiesBeforeItIsReady) {
  const Outcome outcome = RunGuarded([](WorkerStart, int) {
    raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(WEXITSTATUS(outcome.status), 1);
}

// Each worker but the last dies by a signal; what one kept the next ones have.
TEST(Guard, HandsWhatItKeepsToTheNextWorker) {
  const Outcome outcome = RunGuarded([](WorkerStart start, int say) {
    GuardLink link(std::move(start.channel));
    link.Ready();
    Say(say, std::to_string(start.replaced) + ":" + std::to_string(start.memfds.size()));
    for (const UniqueFd& memfd : start.memfds) {
      char text[9] = {};
      EXPECT_EQ(pread(memfd.get(), text, 8, 0), 8);
      Say(say, std::string(" ") + text);
      if (start.replaced == 2) link.Drop(memfd.get());
    }
    Say(say, start.state.valid() ? " state\n" : " no state\n");
    if (start.replaced == 3) return 0;
    if (start.replaced == 0) {
      const UniqueFd disk(memfd_create(DiskMemfdName(1, "d").c_str(), MFD_CLOEXEC));
      EXPECT_EQ(write(disk.get(), "the disk", 8), 8);
      const UniqueFd state(memfd_create(std::string(kStateMemfdName).c_str(), MFD_CLOEXEC));
      EXPECT_EQ(link.Keep(disk.get()), 0);
      EXPECT_EQ(link.Keep(state.get()), 0);
    }
    constexpr int kSignals[] = {SIGKILL, SIGSEGV, SIGABRT};
    signal(kSignals[start.replaced], SIG_DFL);
    raise(kSignals[start.replaced]);
    return 1;
  });
  EXPECT_EQ(WEXITSTATUS(outcome.status), 0);
  EXPECT_EQ(outcome.said,
            "0:0 no state\n"
            "1:1 the disk state\n"
            "2:1 the disk state\n"
            "3:0 state\n");
}

TEST(Guard, SaysWhatBecameOfTheLastWorker) {
  const Outcome outcome = RunGuarded([](WorkerStart start, int say) {
    GuardLink(std::move(start.channel)).Ready();
    Say(say, start.replaced_why + "\n");
    if (start.replaced == 1) return 0;
    raise(SIGKILL);
    return 1;
  });
  EXPECT_EQ(outcome.said, "\nsignal 9 (Killed)\n");
}

TEST(Guard, HandsSignalsOn) {
  const Outcome outcome = RunGuarded([](WorkerStart start, int say) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    kill(start.guard_pid, SIGTERM);
    int got = 0;
    sigwait(&set, &got);
    Say(say, std::to_string(got));
    return 0;
  });
  EXPECT_EQ(outcome.said, std::to_string(SIGTERM));
}

// Worker 0 is told to end, and dies before it can.
TEST(Guard, RemembersThatTheMountIsToEnd) {
  const Outcome outcome = RunGuarded([](WorkerStart start, int say) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    GuardLink(std::move(start.channel)).Ready();
    if (start.replaced == 0) kill(start.guard_pid, SIGTERM);
    int got = 0;
    sigwait(&set, &got);
    Say(say, std::to_string(got) + ".");
    if (start.replaced == 2) return 0;
    raise(SIGKILL);
    return 1;
  });
  EXPECT_EQ(outcome.said, "15.15.15.");
}

// As by kill WORKER, or of the whole group: the guard has not heard of it but from the worker.
TEST(Guard, RemembersWhatAWorkerWasTold) {
  const Outcome outcome = RunGuarded([](WorkerStart start, int say) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    GuardLink link(std::move(start.channel));
    link.Ready();
    if (start.replaced == 0) {
      link.Ending();
      raise(SIGKILL);
    }
    int got = 0;
    sigwait(&set, &got);
    Say(say, std::to_string(got));
    return 0;
  });
  EXPECT_EQ(outcome.said, "15");
}

TEST(Guard, GivesUpWorkersThatDieOfWhatTheyTakeOver) {
  const Outcome outcome = RunGuarded([](WorkerStart start, int say) {
    GuardLink(std::move(start.channel)).Ready();
    Say(say, std::to_string(start.replaced));
    raise(SIGKILL);
    return 1;
  });
  EXPECT_EQ(outcome.said, "012345");
  EXPECT_EQ(WEXITSTATUS(outcome.status), 1) << "there is no mount that could be refused";
}

TEST(Guard, ReplacesWorkersThatServedForEver) {
  constexpr unsigned kMany = 5 * kDeathsMax;
  const Outcome outcome = RunGuarded([](WorkerStart start, int say) {
    GuardLink link(std::move(start.channel));
    link.Ready();
    link.Served();
    if (start.replaced < kMany) raise(SIGKILL);
    Say(say, std::to_string(start.replaced));
    return 0;
  });
  EXPECT_EQ(outcome.said, std::to_string(kMany));
}

rlim_t ThreadsOf(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Threads:")) return std::stoul(line.substr(sizeof "Threads:"));
  }
  return 0;
}

// A limit of processes is for a user who is not root, and must not meet our own ones.
TEST(Guard, AsksAgainForAProcess) {
  if (geteuid() != 0) GTEST_SKIP() << "it takes root to be somebody else";
  // Of this test alone: another run of it may be under way.
  const uid_t nobody_else = 1'000'000 + static_cast<uid_t>(getpid());
  const Outcome outcome = RunGuarded(
      [](WorkerStart start, int say) {
        GuardLink link(std::move(start.channel));
        link.Ready();
        Say(say, std::to_string(start.replaced));
        if (start.replaced == 1) return 0;
        const pid_t in_the_way = fork();
        if (in_the_way == 0) {
          close(say);
          usleep(200'000);
          _exit(0);
        }
        // The guard and that one, each with a thread of its own where ThreadSanitizer is.
        const rlim_t full = 2 * ThreadsOf(start.guard_pid);
        const rlimit two = {.rlim_cur = full, .rlim_max = full};
        prlimit(start.guard_pid, RLIMIT_NPROC, &two, nullptr);
        raise(SIGKILL);
        return 1;
      },
      [&] { EXPECT_EQ(setresuid(nobody_else, nobody_else, nobody_else), 0); });
  EXPECT_EQ(outcome.said, "01");
  EXPECT_EQ(WEXITSTATUS(outcome.status), 0);
}

// At the limit a worker is told so, and the next one has descriptors of its own.
TEST(Guard, KeepsNoMoreThanAWorkerCanLiveWith) {
  const Outcome outcome = RunGuarded(
      [](WorkerStart start, int say) {
        GuardLink link(std::move(start.channel));
        link.Ready();
        std::vector<UniqueFd> disks;
        if (start.replaced == 0) {
          const UniqueFd disk(memfd_create(DiskMemfdName(1, "d").c_str(), MFD_CLOEXEC));
          unsigned kept = 0;
          int error = 0;
          while ((error = link.Keep(disk.get())) == 0) ++kept;
          Say(say, error == EMFILE && kept > 20 ? "refused, " : "? ");
          raise(SIGKILL);
        }
        unsigned own = 0;
        while (true) {
          UniqueFd another(open("/dev/null", O_RDONLY | O_CLOEXEC));
          if (!another.valid()) break;
          disks.push_back(std::move(another));
          ++own;
        }
        Say(say, start.memfds.size() > 20 && own >= 10 ? "has room" : std::to_string(own));
        return 0;
      },
      [] {
        constexpr rlimit kFew = {.rlim_cur = 64, .rlim_max = 64};
        EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &kFew), 0);
      });
  EXPECT_EQ(outcome.said, "refused, has room");
}

TEST(Guard, IsNotMissedByAWorkerThatServesOn) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  GuardLink link((UniqueFd(ends[0])));
  close(ends[1]);
  const UniqueFd disk(memfd_create(DiskMemfdName(1, "d").c_str(), MFD_CLOEXEC));
  EXPECT_EQ(link.Keep(disk.get()), 0);
}

// There is no such program: the worker stays as it is.
TEST(Guard, DoesNotReplaceByWhatCannotTakeOver) {
  const Outcome outcome = RunGuarded([](WorkerStart start, int say) {
    GuardLink(std::move(start.channel)).Ready();
    kill(start.guard_pid, SIGUSR2);
    usleep(200'000);
    Say(say, std::to_string(start.replaced));
    return 0;
  });
  EXPECT_EQ(outcome.said, "0");
  EXPECT_EQ(WEXITSTATUS(outcome.status), 0);
}

}  // namespace
}  // namespace rnullfs
