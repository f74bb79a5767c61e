#include "fuse/receive_loop.h"

#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <memory>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/threads.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr size_t kPageSize = 4096;

// So that the data of a write begin at a page: copying them in and out is a third faster.
constexpr size_t kBeforeRequest = kPageSize - sizeof(fuse_in_header) - sizeof(fuse_write_in);
constexpr size_t kRequestRoom = kRequestBytesMax + kPageSize;

// The kernel sets it in the number of a request that it sends again (FUSE_UNIQUE_RESEND).
constexpr uint64_t kSentAgain = uint64_t{1} << 63;

thread_local uint64_t current_request = 0;
thread_local bool sent_again = false;

// What is of no consequence does not show that a process could serve.
bool IsAnswered(uint32_t opcode) {
  return opcode != FUSE_INIT && opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET &&
         opcode != FUSE_INTERRUPT;
}

fuse_buf RequestIn(char* memory, size_t size) {
  fuse_buf buffer = {};
  buffer.mem = memory;
  buffer.size = size;
  buffer.fd = -1;
  return buffer;
}

}  // namespace

int64_t PatienceNsec() {
  int64_t patience_nsec = INT64_MAX;
  for (const char* file :
       {"/proc/sys/fs/fuse/default_request_timeout", "/proc/sys/fs/fuse/max_request_timeout"}) {
    int64_t seconds = 0;
    std::ifstream(file) >> seconds;
    if (seconds > 0) patience_nsec = std::min(patience_nsec, seconds * 1'000'000'000 / 2);
  }
  return patience_nsec;
}

// Room for one request, all of it mapped: were a page missing, the kernel would have to fault it in
// to hand a request out, and when it cannot, because the process has been killed, the request
// fails.
class ReceiveLoop::Buffer {
 public:
  Buffer()
      : memory_(
            mmap(nullptr, kLength, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (!valid()) return;
    // What users write is not for a core file.
    madvise(memory_, kLength, MADV_DONTDUMP);
    // MAP_POPULATE does nothing in a process that is locked with MCL_ONFAULT.
    std::memset(memory_, 0, kLength);
  }
  ~Buffer() {
    if (valid()) munmap(memory_, kLength);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  bool valid() const { return memory_ != MAP_FAILED; }
  char* request() const { return static_cast<char*>(memory_) + kBeforeRequest; }

 private:
  static constexpr size_t kLength = kBeforeRequest + kRequestRoom;
  void* const memory_;
};

uint64_t ReceiveLoop::CurrentRequest() { return current_request; }

bool ReceiveLoop::IsSentAgain() { return sent_again; }

void ReceiveLoop::GoOnWith(uint64_t request) { current_request = request; }

absl::Status ReceiveLoop::AddThread(std::vector<std::thread>& workers) {
  const auto buffer = std::make_shared<Buffer>();
  if (!buffer->valid()) return SystemError(EAGAIN, "room for requests");
  absl::StatusOr<std::thread> worker = StartThread([this, buffer, number = workers.size()] {
    pthread_setname_np(pthread_self(), "rnullfs-fuse");
    Serve(number, buffer->request());
    ++finished_;
    ended_.release();
  });
  if (!worker.ok()) return worker.status();
  workers.push_back(*std::move(worker));  // there is room: it does not throw
  return absl::OkStatus();
}

// As many as can be had: one is enough.
void ReceiveLoop::AddMore(std::vector<std::thread>& workers) {
  try {
    absl::Status added;
    while (added.ok() && workers.size() < threads_) added = AddThread(workers);
    if (added.ok()) return;
    Log(absl::StrCat("requests are served by ", workers.size(), " threads instead of ", threads_,
                     ": ", added.message()));
  } catch (const std::bad_alloc&) {
    Log("requests are served by few threads, for want of memory");
  }
}

absl::Status ReceiveLoop::Run(int connection, absl::FunctionRef<void()> serving) {
  std::vector<std::thread> workers;
  workers.reserve(threads_);
  absl::Status added = InsistWhileMounted(connection, [&] { return AddThread(workers); });
  if (!added.ok()) return added;
  AddMore(workers);
  serving();
  ended_.acquire();
  fuse_session_exit(session_);
  while (finished_ < workers.size()) {  // a signal may come just before a thread begins to read
    for (std::thread& worker : workers) pthread_kill(worker.native_handle(), SIGUSR1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (std::thread& worker : workers) worker.join();
  return error_ == 0 ? absl::OkStatus() : SystemError(error_, "serving the mount");
}

void ReceiveLoop::End() { ended_.release(); }

void ReceiveLoop::Handle(size_t thread, const fuse_buf& request) {
  const Turns::Turn turn(turns_, thread);
  KillPoint("received");
  fuse_session_process_buf(session_, &request);
  KillPoint("answered");
}

void ReceiveLoop::Serve(size_t thread, char* request) {
  const int fuse = fuse_session_fd(session_);
  bool served = false;
  while (fuse_session_exited(session_) == 0) {
    const ssize_t got = read(fuse, request, kRequestRoom);
    // ENOENT: who asked has been killed, and the request went with him.
    if (got < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN)) continue;
    if (got < 0 && errno == ENODEV) return;  // unmounted
    if (got < static_cast<ssize_t>(sizeof(fuse_in_header))) {
      error_ = got < 0 ? errno : EIO;
      return;
    }
    const auto& header = *reinterpret_cast<const fuse_in_header*>(request);
    if (header.opcode == FUSE_INIT && !NoteInit({request, static_cast<size_t>(got)})) return;
    current_request = header.unique & ~kSentAgain;
    sent_again = (header.unique & kSentAgain) != 0;
    const bool counts = !served && IsAnswered(header.opcode);  // libfuse may overwrite it
    Handle(thread, RequestIn(request, got));
    if (!counts) continue;
    served = true;
    on_served_();
  }
}

// Before anything is served: who has no memory for that ends, and says so.
bool ReceiveLoop::NoteInit(std::string_view init) {
  try {
    on_init_(init);
    return true;
  } catch (const std::bad_alloc&) {
    error_ = ENOMEM;
    return false;
  }
}

void Replay(fuse_session* session, std::string init) {
  const fuse_buf request = RequestIn(init.data(), init.size());
  fuse_session_process_buf(session, &request);
}

}  // namespace rnullfs
