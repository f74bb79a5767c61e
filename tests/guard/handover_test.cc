// What one program hands to the next: the environment's words are what versions have in common.

#include "guard/handover.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <string>

#include "base/memfd_name.h"

namespace rnullfs {
namespace {

// What a child writes to its stdout.
std::string OutputOf(const std::function<void()>& child) {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    child();
    _exit(0);
  }
  close(ends[1]);
  std::string output;
  char buffer[256];
  for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof buffer)) > 0;) {
    output.append(buffer, got);
  }
  close(ends[0]);
  EXPECT_EQ(waitpid(pid, nullptr, 0), pid);
  return output;
}

// What a program says that is handed to.
std::string SaidBy(const std::string& script, const Handover& handover) {
  return OutputOf([&] {
    const UniqueFd shell(open("/bin/sh", O_PATH | O_CLOEXEC));
    const std::string words[] = {"sh", "-c", script};
    char* argv[] = {const_cast<char*>(words[0].c_str()), const_cast<char*>(words[1].c_str()),
                    const_cast<char*>(words[2].c_str()), nullptr};
    HandOver(handover, shell.get(), argv, KeptDescriptors());
  });
}

TEST(Handover, SaysWhatItIsAbout) {
  const std::string script =
      "echo \"$RNULLFS_UPGRADE,$RNULLFS_HANDOVER,$RNULLFS_MOUNTPOINT\" | sed 's/ [0-9]* / FD /'";
  const UniqueFd channel(open("/dev/null", O_RDWR | O_CLOEXEC));
  Handover handover = {.as = Handover::As::kCheck,
                       .mountpoint = "/a mount",
                       .replaced = 3,
                       .descriptor = channel.get(),
                       .peer = 7,
                       .end_signal = 15,
                       .token = "abc"};
  EXPECT_EQ(SaidBy(script, handover), "check,check FD abc,/a mount\n");
  handover.as = Handover::As::kWorker;
  EXPECT_EQ(SaidBy(script, handover), "3,worker FD 7 15,/a mount\n");
  handover.as = Handover::As::kGuard;
  EXPECT_EQ(SaidBy(script, handover), "3,guard FD 7 15,/a mount\n");
}

TEST(Handover, GivesWhatIsKeptAndTheChannel) {
  const UniqueFd state(memfd_create(std::string(kStateMemfdName).c_str(), MFD_CLOEXEC));
  const UniqueFd channel(open("/dev/null", O_RDWR | O_CLOEXEC));
  const UniqueFd other(open("/dev/null", O_RDWR | O_CLOEXEC));
  std::string script = "cd /proc/$$/fd; for fd in";
  for (const UniqueFd* fd : {&state, &channel, &other}) script += " " + std::to_string(fd->get());
  EXPECT_EQ(SaidBy(script + "; do test -e $fd; printf $?; done",
                   {.as = Handover::As::kGuard, .descriptor = channel.get()}),
            "001");
}

TEST(Handover, LeavesNothingBehindWhenItFails) {
  const UniqueFd state(memfd_create(std::string(kStateMemfdName).c_str(), MFD_CLOEXEC));
  const UniqueFd channel(open("/dev/null", O_RDWR | O_CLOEXEC));
  const UniqueFd directory(open("/", O_PATH | O_CLOEXEC));
  char* argv[] = {nullptr};
  EXPECT_EQ(HandOver({.as = Handover::As::kGuard, .descriptor = channel.get()}, directory.get(),
                     argv, KeptDescriptors()),
            EACCES);
  EXPECT_EQ(std::getenv("RNULLFS_UPGRADE"), nullptr);
  EXPECT_EQ(std::getenv("RNULLFS_HANDOVER"), nullptr);
  EXPECT_EQ(fcntl(state.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(channel.get(), F_GETFD), FD_CLOEXEC);
}

// In a child: what the caller has left open is closed.
std::string Taken() {
  const Handover handover = TakeHandover("/given");
  std::string said = std::to_string(static_cast<int>(handover.as)) + handover.mountpoint;
  for (const char* name : {"RNULLFS_UPGRADE", "RNULLFS_HANDOVER", "RNULLFS_MOUNTPOINT"}) {
    if (std::getenv(name) != nullptr) said += name;
  }
  return said;
}

TEST(Handover, IsBelievedWithAGuardsDescriptorsAlone) {
  const auto take = [](bool with_state) {
    return OutputOf([with_state] {
      const UniqueFd state(
          with_state ? memfd_create(std::string(kStateMemfdName).c_str(), MFD_CLOEXEC) : -1);
      setenv("RNULLFS_UPGRADE", "check", 1);
      setenv("RNULLFS_HANDOVER", "check 1 abc", 1);
      setenv("RNULLFS_MOUNTPOINT", "/handed", 1);
      const std::string said = Taken();
      [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, said.data(), said.size());
    });
  };
  EXPECT_EQ(take(true), std::to_string(static_cast<int>(Handover::As::kCheck)) + "/handed");
  EXPECT_EQ(take(false), std::to_string(static_cast<int>(Handover::As::kNone)) + "/given");
}

}  // namespace
}  // namespace rnullfs
