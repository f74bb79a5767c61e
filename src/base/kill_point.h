// Moments at which a test build dies, by name: what comes after a death is tried where it is
// hardest, between two stores, not where a signal happens to arrive.
//
// A point is armed by a file of its name in the directory that the environment's
// RNULLFS_KILL_POINTS names.  Who comes by first takes the file away and ends as by kill -9; its
// successor goes on.  A build without -Dkill_points=true has none of it.
//
// Thread safety: from any thread.
#ifndef RNULLFS_BASE_KILL_POINT_H_
#define RNULLFS_BASE_KILL_POINT_H_

namespace rnullfs {

#ifdef RNULLFS_KILL_POINTS
void KillPoint(const char* name);
#else
inline void KillPoint(const char* /*name*/) {}
#endif

}  // namespace rnullfs

#endif  // RNULLFS_BASE_KILL_POINT_H_
