#include "guard/fuse_device.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace rnullfs {
namespace {

// The kernel hands a request out to who has room for the largest there is.
alignas(fuse_in_header) char request[(1 << 20) + 4096];

bool TakesAnswer(uint32_t opcode) {
  return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;
}

bool Polls(int fuse, short events) {
  pollfd watched = {fuse, POLLIN, 0};
  return fuse < 0 || (poll(&watched, 1, 0) == 1 && (watched.revents & events) != 0);
}

}  // namespace

void ResendRequests([[maybe_unused]] int fuse) {
#ifndef RNULLFS_MUTATION_NO_RESEND  // which the tests must notice: tests/chaos/mutation.sh
  constexpr int kResend = 7;        // FUSE_NOTIFY_RESEND, Linux 6.9
  const fuse_out_header resend = {.len = sizeof resend, .error = kResend, .unique = 0};
  // A kernel that knows no resending leaves those requests to wait for the mount's end.
  [[maybe_unused]] const ssize_t sent = write(fuse, &resend, sizeof resend);
#endif
}

bool HasRequests(int fuse) { return Polls(fuse, POLLIN); }
bool IsUnmounted(int fuse) { return Polls(fuse, POLLERR); }

void SetRefusing(int fuse, bool refusing) { fcntl(fuse, F_SETFL, refusing ? O_NONBLOCK : 0); }

bool RefuseRequest(int fuse) {
  const ssize_t got = read(fuse, request, sizeof request);
  if (got < 0) return errno != ENODEV;
  if (static_cast<size_t>(got) < sizeof(fuse_in_header)) return false;
  const auto& header = *reinterpret_cast<const fuse_in_header*>(request);
  if (!TakesAnswer(header.opcode)) return true;
  const fuse_out_header refusal = {.len = sizeof refusal, .error = -EIO, .unique = header.unique};
  [[maybe_unused]] const ssize_t sent = write(fuse, &refusal, sizeof refusal);
  return true;
}

}  // namespace rnullfs
