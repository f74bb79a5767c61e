// What a process can be asked and told: names of others, its own limits and manners.
//
// Thread safety: ProcessName(), IsKernelThread() and HasInitialCapability() from any thread; the
// rest before any thread starts.
#ifndef RNULLFS_BASE_PROCESS_H_
#define RNULLFS_BASE_PROCESS_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"

namespace rnullfs {

// "losetup (pid 7)", or "pid 7" when the name is not to be had.  As Visible().
std::string ProcessName(pid_t pid);

// Whether a thread is the kernel's own, as those of the loop driver are, or not to be seen from
// here (`pid` 0): FUSE says 0 for who is in another PID namespace, as the kernel's threads are for
// a mount in a container.
bool IsKernelThread(pid_t pid);

// All signals do what they do in a program that a service manager starts, whatever our parent has
// ignored: with SIGCHLD ignored nobody hears how a child has ended.
void ResetSignals();

// None is held up.  Not where a guard goes on as another program: what comes meanwhile waits.
void UnblockSignals();

// Where this program is in the file system, for who starts it again; `argv0` where /proc is
// missing.
std::string OwnPath(const char* argv0);

// Whether a program of that name is in one of the directories of PATH.
bool OnPath(const std::string& program);

// Whether /proc is there: what is open and what is mounted is known from it.
bool HasProc();

// Whether this process has it (CAP_*) where the kernel asks for it in the initial user namespace.
bool HasInitialCapability(unsigned capability);

// First of all that a program does: ResetSignals(), and nothing it opens can take the place of what
// everybody writes to or reads from: a descriptor of 0 to 2 that the caller has closed becomes
// /dev/null.  SIGXFSZ is ignored, so that a limit on the size of files is an errno wherever it is
// met.
void PrepareProcess();

// Takes as many descriptors as the hard limit allows: each disk has one.
void RaiseDescriptorLimit();
// Has room for some thousands of descriptors; before there are threads.  The kernel doubles the
// table when it is full, and in a process with threads that waits for a grace period, some 10 ms
// (expand_fdtable() in fs/file.c).
void MakeRoomForDescriptors();

// Takes as large files as the hard limit allows (RLIMIT_FSIZE): memfds are files to it.  EFBIG when
// that is one, too.
absl::Status RaiseFileSizeLimit();

}  // namespace rnullfs

#endif  // RNULLFS_BASE_PROCESS_H_
