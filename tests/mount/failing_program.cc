// A program that an upgrade finds where rnullfs was: it agrees to go on, and then it fails.
//
// How is in the file beside it whose name ends in .how: "silent" (it says yes by its exit status
// alone), "slow" (the same, after a second), "exit", "crash", or "late" (it serves for half a
// second).  A second word is the path of a program that can go on.
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

int main(int /*argc*/, char** argv) {
  std::ifstream file(std::filesystem::read_symlink("/proc/self/exe").string() + ".how");
  std::string how;
  std::string real;
  const char* const handover = std::getenv("RNULLFS_HANDOVER");
  if (!(file >> how >> real) || handover == nullptr) return 2;
  if (how == "slow") sleep(1);
  if (how == "silent" || how == "slow") return 0;
  if (std::string(handover).rfind("check", 0) != 0) {
    if (how == "exit") return 1;
    if (how == "crash") std::abort();
    const itimerval half = {.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = 500'000}};
    setitimer(ITIMER_REAL, &half, nullptr);
  }
  execv(real.c_str(), argv);
  return 2;
}
