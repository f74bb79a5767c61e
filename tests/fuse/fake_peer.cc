#include "fuse/fake_peer.h"

#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <vector>

namespace rnullfs {
namespace {

constexpr size_t kDataBytesMax = 1 << 20;
constexpr size_t kMessageBytesMax = kDataBytesMax + 4096;
constexpr std::chrono::seconds kPatience(30);

void MakeRoom(int socket) {
  const int bytes = 2 * kMessageBytesMax;
  // Only root may go beyond net.core.wmem_max.
  if (setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0) {
    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  }
}

}  // namespace

std::pair<UniqueFd, UniqueFd> MakeConnection() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0) << strerror(errno);
  for (const int fd : fds) MakeRoom(fd);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

FakePeer::FakePeer(UniqueFd socket)
    : socket_(std::move(socket)), caller_(getpid()), receiver_(&FakePeer::Receive, this) {}

std::future<FuseReply> FakePeer::Send(uint32_t opcode, uint64_t node, std::string_view payload) {
  // The kernel's numbers are even: the lowest bit tells an interrupt from its request.
  fuse_in_header header = {};
  header.len = sizeof header + payload.size();
  header.opcode = opcode;
  header.unique = next_unique_.fetch_add(2);
  header.nodeid = node;
  header.uid = kCallerUid;
  header.gid = kCallerGid;
  header.pid = caller_;
  std::promise<FuseReply> promise;
  std::future<FuseReply> reply = promise.get_future();
  {
    const LockGuard lock(mutex_);
    if (ended_) {
      promise.set_value({.error = ENOTCONN});
      return reply;
    }
    waiting_.emplace(header.unique, std::move(promise));
  }
  SendRaw(std::string(BytesOf(header)).append(payload));
  return reply;
}

FuseReply FakePeer::Call(uint32_t opcode, uint64_t node, std::string_view payload) {
  return Await(Send(opcode, node, payload));
}

FuseReply FakePeer::Await(std::future<FuseReply> reply) {
  if (reply.wait_for(kPatience) == std::future_status::ready) return reply.get();
  ADD_FAILURE() << "no reply";
  return {.error = ETIMEDOUT};
}

void FakePeer::SendRaw(std::string_view message) {
  const ssize_t sent = send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL);
  EXPECT_EQ(sent, static_cast<ssize_t>(message.size())) << strerror(errno);
}

uint64_t FakePeer::data_bytes_max() const {
  int bytes = 0;
  socklen_t size = sizeof bytes;
  getsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &bytes, &size);
  return std::min<uint64_t>(kDataBytesMax, bytes / 8192 * 4096 - 4096);
}

void FakePeer::HangUp() {
  shutdown(socket_.get(), SHUT_RDWR);
  if (receiver_.joinable()) receiver_.join();
}

void FakePeer::Receive() {
  std::vector<char> buffer(kMessageBytesMax);
  for (;;) {
    const ssize_t bytes = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (bytes <= 0) break;
    Deliver({buffer.data(), static_cast<size_t>(bytes)});
  }
  Abandon();
}

void FakePeer::Deliver(std::string_view message) {
  fuse_out_header header = {};
  ASSERT_GE(message.size(), sizeof header);
  std::memcpy(&header, message.data(), sizeof header);
  EXPECT_EQ(header.len, message.size());
  EXPECT_LE(header.error, 0);
  if ((header.unique & 1) != 0) return;  // of an interrupt: they are not waited for
  const LockGuard lock(mutex_);
  const auto it = waiting_.find(header.unique);
  ASSERT_NE(it, waiting_.end()) << "a reply that nobody waits for, or a second one";
  it->second.set_value({.error = -header.error,
                        .data = std::string(message.substr(sizeof header)),
                        .number = received_++});
  waiting_.erase(it);
}

void FakePeer::Abandon() {
  const LockGuard lock(mutex_);
  ended_ = true;
  for (auto& [unique, promise] : waiting_) promise.set_value({.error = ENOTCONN});
  waiting_.clear();
}

}  // namespace rnullfs
