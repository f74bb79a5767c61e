#include "fuse/ring.h"

#include <linux/io_uring.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "rnullfs/device.h"
#include "rnullfs/mutex.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

constexpr char kParameter[] = "/sys/module/fuse/parameters/enable_uring";

#if RNULLFS_LIBFUSE_HAS_RING
std::string FirstWord(const char* path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

// The kernel wants a queue for each possible processor before it lets requests through; libfuse
// makes one for each that is configured.
bool ProcessorsMatch() {
  const long configured = sysconf(_SC_NPROCESSORS_CONF);
  const std::string possible = FirstWord("/sys/devices/system/cpu/possible");
  return possible == (configured == 1 ? "0" : absl::StrCat("0-", configured - 1));
}

int TryRing() {
  io_uring_params parameters = {};
  parameters.flags = IORING_SETUP_SQE128 | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
  parameters.cq_entries = 2 * (kRingDepth + 1);
  const UniqueFd ring(static_cast<int>(syscall(SYS_io_uring_setup, kRingDepth + 1, &parameters)));
  return ring.get() < 0 ? errno : 0;
}
#endif

// An answer on its way from the thread that has it to the ring's thread, which is to give it.
struct Relay {
  Mutex mutex;
  std::condition_variable_any changed;
  const Answer* answer ABSL_GUARDED_BY(mutex) = nullptr;
  bool given ABSL_GUARDED_BY(mutex) = false;
  Completion done;
  std::thread::id ring_thread = std::this_thread::get_id();
  std::shared_ptr<Relay> held_by_answerer;
};

// Stays until the answer is given: its data is valid during the call only.
void Hand(void* tag, const Answer& answer) {
  const std::shared_ptr<Relay> relay = std::move(static_cast<Relay*>(tag)->held_by_answerer);
  const bool at_home = std::this_thread::get_id() == relay->ring_thread;
  if (at_home) relay->done(answer);
  LockGuard lock(relay->mutex);
  relay->answer = &answer;
  relay->given = at_home;
  relay->changed.notify_all();
  while (!relay->given) relay->changed.wait(relay->mutex);
}

}  // namespace

std::string RingObstacle() {
#if RNULLFS_LIBFUSE_HAS_RING
  const std::string enabled = FirstWord(kParameter);
  if (enabled.empty()) return "this kernel has no FUSE over io_uring (Linux 6.14)";
  if (enabled != "Y") return absl::StrCat("the kernel has it switched off: echo Y > ", kParameter);
  if (geteuid() != 0) return "only root can unmount before the ring closes, which has to be";
  if (!ProcessorsMatch()) return "libfuse makes a queue for fewer processors than the kernel asks";
  if (const int error = TryRing(); error != 0) {
    return absl::StrCat("an io_uring cannot be set up: ", std::strerror(error));
  }
  return "";
#else
  return absl::StrCat("this program's libfuse is without io_uring, whatever ", kParameter, " says");
#endif
}

bool CameThroughRing(fuse_req_t request) {
#if RNULLFS_LIBFUSE_HAS_RING
  return fuse_req_is_uring(request);
#else
  static_cast<void>(request);
  return false;
#endif
}

void SubmitOnRing(Device& device, const Command& command, Completion done) {
  // libfuse cancels its ring threads when a session ends, even within a request; it also wakes
  // them, and that is enough.
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
  const auto relay = std::make_shared<Relay>();
  relay->done = done;
  relay->held_by_answerer = relay;
  device.Submit(command, {.complete = Hand, .tag = relay.get()});
  LockGuard lock(relay->mutex);
  while (relay->answer == nullptr) relay->changed.wait(relay->mutex);
  if (relay->given) return;
  relay->done(*relay->answer);
  relay->given = true;
  relay->changed.notify_all();
}

}  // namespace rnullfs
