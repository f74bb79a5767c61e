// FUSE over io_uring: whether a mount may ask libfuse for it, and how its requests are answered.
//
// libfuse 3.18 serves a ring with one thread for each processor and lets no other thread answer: an
// answer from elsewhere fills a submission entry while the ring's thread may be handing it to the
// kernel (its issue 1443).  So what the completion queue answers is brought back to the ring's
// thread, which waits for it.  Requests that are answered inline pay nothing for this.
//
// Thread safety: all functions from any thread.
#ifndef RNULLFS_FUSE_RING_H_
#define RNULLFS_FUSE_RING_H_

#include <fuse_lowlevel.h>

#include <string>

#include "rnullfs/command.h"

namespace rnullfs {

class Device;

// Requests that a ring holds for each processor; every one has a buffer of the largest request.
inline constexpr unsigned kRingDepth = 8;

// Why this process cannot use the ring, as part of a sentence; empty when it can.  Tries a ring of
// libfuse's kind: a kernel that was promised a ring which never comes lets no request through.
std::string RingObstacle();

// Whether the request came through a ring.  Its thread must then be the one that answers.
bool CameThroughRing(fuse_req_t request);

// Device::Submit() for such a request: returns when it has been answered, on the caller's thread.
void SubmitOnRing(Device& device, const Command& command, Completion done);

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_RING_H_
