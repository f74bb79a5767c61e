// What a search of crash states has found, as text and as JSON.
//
// Thread safety: pure functions.
#ifndef RNULLFS_CTL_CRASH_REPORT_H_
#define RNULLFS_CTL_CRASH_REPORT_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "ctl/counterexample.h"
#include "ctl/stretch.h"

namespace rnullfs {

struct CrashReport {
  std::string device;
  std::map<uint64_t, std::string> marks;
  std::vector<const Stretch*> stretches;
  size_t stretches_left = 0;  // that were not begun
  size_t left_out = 0;        // as the history had forgotten what was durable
  std::vector<Counterexample> failures;
  std::set<std::string> unsteady;
  std::string error;  // why it could not be judged; empty
  bool interrupted = false;
  int64_t took_nsec = 0;
  bool stays = true;  // what failed can be looked at
  // The options that give the commands, as a shell takes them; and for the disk of a recovery.
  std::string commands;
  std::string commands_of_recovery;

  bool failed() const;
  // Exit status: 0 all that were judged recovered, 1 one did not, 2 it could not be judged.
  int status() const;
  std::string Text() const;
  std::string Json() const;
};

}  // namespace rnullfs

#endif  // RNULLFS_CTL_CRASH_REPORT_H_
