// The threads that take requests from /dev/fuse and hand them to libfuse.
//
// They are ours, not fuse_session_loop_mt()'s, for three reasons: while a request is worked on, its
// number is known, by which one that is sent again is recognized; the kernel's FUSE_INIT can be
// kept for a process that takes over; and no lock of libfuse's is taken on a request's way.
//
// Thread safety: End() and CurrentRequest() from any thread; Run() once.
#ifndef RNULLFS_FUSE_RECEIVE_LOOP_H_
#define RNULLFS_FUSE_RECEIVE_LOOP_H_

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "fuse/turns.h"

struct fuse_buf;
struct fuse_session;

namespace rnullfs {

// The largest data of a request, in bytes.
inline constexpr size_t kRequestBytesMax = size_t{1} << 20;

// How long a request may go unanswered: nanoseconds, half of what the kernel
// (fs.fuse.default_request_timeout and max_request_timeout, Linux 6.14) would abort the whole mount
// after; INT64_MAX where it waits for ever.
int64_t PatienceNsec();

class ReceiveLoop {
 public:
  // For so many threads.  `on_init` gets the bytes of FUSE_INIT before libfuse does; `on_served` is
  // called by each thread that has done with a request, for its first one.
  ReceiveLoop(fuse_session* session, unsigned threads,
              std::function<void(std::string_view)> on_init, std::function<void()> on_served)
      : session_(session),
        threads_(threads),
        on_init_(std::move(on_init)),
        on_served_(std::move(on_served)),
        turns_(threads) {}

  // Serves with its threads, or as many of them as can be had, until the mount is gone or End().
  // EAGAIN when there is not one; who takes a mount over, and so has its `connection` (as
  // InsistWhileMounted()), waits for the first.  `serving` is called when they are there.
  absl::Status Run(int connection, absl::FunctionRef<void()> serving);

  // What they have in hand.
  Turns& turns() { return turns_; }

  // Has Run() return soon.
  void End();

  // The number of the request that the calling thread works on; 0 when there is none.
  static uint64_t CurrentRequest();

  // Whether that one was sent to a process before that is gone.
  static bool IsSentAgain();

  // The calling thread, which has received nothing, works on that one from now on.
  static void GoOnWith(uint64_t request);

 private:
  class Buffer;
  absl::Status AddThread(std::vector<std::thread>& workers);
  void AddMore(std::vector<std::thread>& workers);
  void Serve(size_t thread, char* request);
  void Handle(size_t thread, const fuse_buf& request);
  bool NoteInit(std::string_view init);

  fuse_session* const session_;
  const unsigned threads_;
  const std::function<void(std::string_view)> on_init_;
  const std::function<void()> on_served_;
  Turns turns_;
  std::atomic<int> error_{0};
  std::atomic<unsigned> finished_{0};
  std::counting_semaphore<> ended_{0};
};

// For libfuse's sake: the request that the kernel had sent to a process which is gone.
void Replay(fuse_session* session, std::string init);

}  // namespace rnullfs

#endif  // RNULLFS_FUSE_RECEIVE_LOOP_H_
