#include "guard/link.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace rnullfs {
namespace {

union FdControl {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

uint64_t InodeOf(int fd) {
  struct stat status = {};
  fstat(fd, &status);
  return status.st_ino;
}

}  // namespace

void GuardLink::Keep(int fd) {
  Send({.kind = GuardMessage::Kind::kKeep, .inode = InodeOf(fd)}, fd);
}

void GuardLink::Drop(int fd) {
  Send({.kind = GuardMessage::Kind::kDrop, .inode = InodeOf(fd)}, -1);
}

void GuardLink::Ready() { Send({.kind = GuardMessage::Kind::kReady}, -1); }

void GuardLink::Send(const GuardMessage& message, int fd) {
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
  ssize_t sent = 0;
  do {
    sent = sendmsg(channel_.get(), &header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno != EPIPE && errno != ECONNRESET) {
    Log("the guard cannot be told of a descriptor: what it holds would not be found after a crash");
  }
}

bool ReceiveGuardMessage(int channel, bool wait, GuardMessage& message, UniqueFd& fd) {
  iovec data = {&message, sizeof message};
  msghdr header = {};
  FdControl control = {};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes;
  header.msg_controllen = sizeof control.bytes;
  ssize_t got = 0;
  do {
    got = recvmsg(channel, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  } while (got < 0 && errno == EINTR);
  if (got != sizeof message) return false;
  fd.Reset();
  const cmsghdr* const first = CMSG_FIRSTHDR(&header);
  if (first != nullptr && first->cmsg_type == SCM_RIGHTS) {
    int number = -1;
    std::memcpy(&number, CMSG_DATA(first), sizeof number);
    fd = UniqueFd(number);
  }
  return true;
}

}  // namespace rnullfs
