#include "guard/guarded_mount.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/mountpoint.h"

namespace rnullfs {
namespace {

// The kernel hands a request out to who has room for the largest there is.
alignas(fuse_in_header) char request[(1 << 20) + 4096];

bool TakesAnswer(uint32_t opcode) {
  return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;
}

}  // namespace

void GuardedMount::ResendRequests() const {
#ifndef RNULLFS_MUTATION_NO_RESEND  // which the tests must notice: tests/chaos/mutation.sh
  constexpr int kResend = 7;        // FUSE_NOTIFY_RESEND, Linux 6.9
  const fuse_out_header resend = {.len = sizeof resend, .error = kResend, .unique = 0};
  // A kernel that knows no resending leaves those requests to wait for the mount's end.
  [[maybe_unused]] const ssize_t sent = write(fuse(), &resend, sizeof resend);
#endif
}

bool GuardedMount::Polls(short events) const {
  pollfd watched = {fuse(), POLLIN, 0};
  return fuse() < 0 || (poll(&watched, 1, 0) == 1 && (watched.revents & events) != 0);
}

bool GuardedMount::HasRequests() const { return Polls(POLLIN); }
bool GuardedMount::IsUnmounted() const { return Polls(POLLERR); }

void GuardedMount::StartRefusing() {
  refuses_ = true;
  fcntl(fuse(), F_SETFL, O_NONBLOCK);
}

bool GuardedMount::StopRefusing() {
  if (!std::exchange(refuses_, false)) return false;
  fcntl(fuse(), F_SETFL, 0);
  return true;
}

bool GuardedMount::RefuseRequest() const {
  const ssize_t got = read(fuse(), request, sizeof request);
  if (got < 0) return errno != ENODEV;
  if (static_cast<size_t>(got) < sizeof(fuse_in_header)) return false;
  const auto& header = *reinterpret_cast<const fuse_in_header*>(request);
  if (!TakesAnswer(header.opcode)) return true;
  const fuse_out_header refusal = {.len = sizeof refusal, .error = -EIO, .unique = header.unique};
  [[maybe_unused]] const ssize_t sent = write(fuse(), &refusal, sizeof refusal);
  return true;
}

void GuardedMount::Unmount() const { UnmountOurs(path_, fuse()); }

}  // namespace rnullfs
