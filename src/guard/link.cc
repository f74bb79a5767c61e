#include "guard/link.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace rnullfs {
namespace {

// The guard answers in microseconds; one that has been stopped must not stop us, too.
constexpr timeval kPatience = {.tv_sec = 10, .tv_usec = 0};

union FdControl {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

bool IsGone(int error) { return error == EPIPE || error == ECONNRESET; }

}  // namespace

GuardLink::GuardLink(UniqueFd channel) : channel_(std::move(channel)) {
  setsockopt(channel_.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
}

int GuardLink::Keep(int fd) {
  const FileId file = FileIdOf(fd);
  const LockGuard lock(asking_);
  int error = Send({.kind = GuardMessage::Kind::kKeep, .file = file}, fd);
  if (error == 0) error = AwaitKept(file);
  if (error == ETIMEDOUT) Drop(fd);  // it may still come to keep it
  return IsGone(error) ? 0 : error;
}

int GuardLink::AwaitKept(const FileId& file) {
  while (true) {
    GuardMessage answer = {};
    const ssize_t got = TEMP_FAILURE_RETRY(recv(channel_.get(), &answer, sizeof answer, 0));
    if (got < 0) return errno == EAGAIN ? ETIMEDOUT : errno;
    if (got != sizeof answer) return EPIPE;
    // Another file's comes late: nobody has waited for it.
    if (answer.kind == GuardMessage::Kind::kKept && answer.file == file) return answer.error;
  }
}

void GuardLink::Drop(int fd) {
  Send({.kind = GuardMessage::Kind::kDrop, .file = FileIdOf(fd)}, -1);
}

void GuardLink::Ready() { Send({.kind = GuardMessage::Kind::kReady}, -1); }

void GuardLink::Served() {
  if (!served_.exchange(true)) Send({.kind = GuardMessage::Kind::kServed}, -1);
}

void GuardLink::Ending() { Send({.kind = GuardMessage::Kind::kEnding}, -1); }

int GuardLink::Send(const GuardMessage& message, int fd) {
  if (!channel_.valid()) return 0;
  iovec data = {const_cast<GuardMessage*>(&message), sizeof message};
  msghdr header = {};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  FdControl control = {};
  if (fd >= 0) {
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;
    cmsghdr* const first = CMSG_FIRSTHDR(&header);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(first), &fd, sizeof fd);
  }
  if (TEMP_FAILURE_RETRY(sendmsg(channel_.get(), &header, MSG_NOSIGNAL)) >= 0) return 0;
  const int error = errno;
  if (!IsGone(error)) Log("the guard cannot be told of what has become of a descriptor");
  return error;
}

bool ReceiveGuardMessage(int channel, GuardMessage& message, UniqueFd& fd) {
  iovec data = {&message, sizeof message};
  msghdr header = {};
  FdControl control = {};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes;
  header.msg_controllen = sizeof control.bytes;
  const ssize_t got = recvmsg(channel, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  fd.Reset();
  if (got <= 0) return false;
  const cmsghdr* const first = CMSG_FIRSTHDR(&header);
  if (first != nullptr && first->cmsg_type == SCM_RIGHTS &&
      first->cmsg_len == CMSG_LEN(sizeof(int))) {
    int number = -1;
    std::memcpy(&number, CMSG_DATA(first), sizeof number);
    fd = UniqueFd(number);
  }
  return got == sizeof message;
}

void AnswerKeep(int channel, const FileId& file, int error) {
  const GuardMessage answer = {.kind = GuardMessage::Kind::kKept, .error = error, .file = file};
  // Who has asked waits: there is room for it.
  [[maybe_unused]] const ssize_t sent =
      send(channel, &answer, sizeof answer, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace rnullfs
