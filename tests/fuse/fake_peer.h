// The kernel's end of a FUSE connection, played by a test: requests in, replies out, over a socket
// that keeps messages apart as /dev/fuse does.  (EdenFS tests its channel so, with FakeFuse.)
//
// Thread safety: all calls from any thread, except HangUp() and destruction.
#ifndef RNULLFS_TESTS_FUSE_FAKE_PEER_H_
#define RNULLFS_TESTS_FUSE_FAKE_PEER_H_

#include <sys/types.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <future>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "rnullfs/mutex.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {

// Who the requests say is calling.
inline constexpr uid_t kCallerUid = 1000;
inline constexpr gid_t kCallerGid = 2000;

struct FuseReply {
  int error = 0;  // a positive errno; ENOTCONN: the connection ended without an answer
  std::string data = {};
  uint64_t number = 0;  // how many replies came before it

  // What the data begins with; zeros where there is less.
  template <typename T>
  T As() const {
    T value = {};
    std::memcpy(&value, data.data(), std::min(sizeof value, data.size()));
    return value;
  }
};

// The bytes of a structure of <linux/fuse.h>.
template <typename T>
std::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// The two ends of a connection, with room for the largest message the system allows.
std::pair<UniqueFd, UniqueFd> MakeConnection();

class FakePeer {
 public:
  explicit FakePeer(UniqueFd socket);
  ~FakePeer() { HangUp(); }
  FakePeer(const FakePeer&) = delete;
  FakePeer& operator=(const FakePeer&) = delete;

  // Sends a request; its reply comes whenever it comes.
  std::future<FuseReply> Send(uint32_t opcode, uint64_t node, std::string_view payload);

  // The same and waits.  ETIMEDOUT, and a failure of the test, after half a minute.
  FuseReply Call(uint32_t opcode, uint64_t node, std::string_view payload);
  static FuseReply Await(std::future<FuseReply> reply);

  // Who makes the requests from now on; at first it is the test.
  void CallAs(pid_t pid) { caller_ = pid; }

  // What the next request will be told by.
  uint64_t next_unique() const { return next_unique_; }

  // A message as it is; nobody waits for a reply.
  void SendRaw(std::string_view message);

  // How many bytes a READ or a WRITE can carry: what the file system takes, if the socket does.
  uint64_t data_bytes_max() const;

  // Ends the connection.
  void HangUp();

 private:
  void Receive();
  void Deliver(std::string_view message);
  void Abandon();

  const UniqueFd socket_;
  std::atomic<uint64_t> next_unique_{2};
  std::atomic<pid_t> caller_;
  Mutex mutex_;
  std::map<uint64_t, std::promise<FuseReply>> waiting_ ABSL_GUARDED_BY(mutex_);  // by unique
  uint64_t received_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread receiver_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_FUSE_FAKE_PEER_H_
