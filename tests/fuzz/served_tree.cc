#include "fuzz/served_tree.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "fuse/negotiate.h"
#include "fuse/operations.h"
#include "fuse/session.h"
#include "fuzz/fuzz_target.h"
#include "rnullfs/clock.h"

namespace rnullfs {
namespace {

constexpr uint64_t kMemoryBytes = uint64_t{8} << 20;
constexpr size_t kReplyBytesMax = 128 << 10;

// Where the tree of every instance lies, so that the one Session can know it.
std::optional<Tree> tree;

MountOptions OptionsOfNoMount() {
  MountOptions options;
  options.mountpoint = "/dev/fd/" + std::to_string(open("/dev/null", O_RDWR | O_CLOEXEC));
  return options;
}

// What the operations find as their user data.  One for the process, never mounted anywhere: it
// would have to be unmounted for every input.
Session& TheSession() {
  static MemoryLimit& memory = *new MemoryLimit(kMemoryBytes);
  static Session& session = *new Session(OptionsOfNoMount(), memory);
  return session;
}

void Negotiate(void* /*userdata*/, fuse_conn_info* connection) {
  NegotiateCapabilities(*connection, /*ring=*/false);
}

void MakeTree(Session& session, CompletionQueue& completions, MemoryLimit& memory) {
  tree.emplace(
      1000, 2000, [&session] { return session.StatusText(); },
      NodeServices{.device = {.clock = Clock::Real(), .completions = completions},
                   .memory = memory,
                   .passthrough_obstacle = [] { return "there is no kernel"; }});
  static bool known = false;
  if (std::exchange(known, true)) return;
  Require(session.Mount(*tree).ok(), "a session can be made");
  // The session has blocked them for a thread that takes them; there is none here.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

fuse_session* MakeFuseSession(Session& session, int fd) {
  fuse_lowlevel_ops operations = Operations();
  operations.init = Negotiate;
  fuse_args arguments = FUSE_ARGS_INIT(0, nullptr);
  fuse_opt_add_arg(&arguments, "fuzz");
  fuse_session* fuse = fuse_session_new(&arguments, &operations, sizeof operations, &session);
  fuse_opt_free_args(&arguments);
  Require(fuse != nullptr, "libfuse makes a session");
  Require(fuse_session_mount(fuse, ("/dev/fd/" + std::to_string(fd)).c_str()) == 0,
          "libfuse takes a socket");
  return fuse;
}

uint64_t PlentyOfMemory() { return uint64_t{1} << 40; }

}  // namespace

ServedTree::ServedTree(OnReply on_reply)
    : on_reply_(std::move(on_reply)),
      memory_(kMemoryBytes, &PlentyOfMemory),
      completions_(Clock::Real()),
      session_(TheSession()) {
  MakeTree(session_, completions_, memory_);
  int fds[2] = {-1, -1};
  Require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0, "there is a socket");
  kernel_end_ = UniqueFd(fds[0]);
  fuse_ = MakeFuseSession(session_, fds[1]);
}

ServedTree::~ServedTree() {
  AnswerAll();
  fuse_session_destroy(fuse_);  // with its end of the socket
  tree.reset();
}

void ServedTree::Process(std::string message) {
  fuse_buf buffer = {};
  buffer.mem = message.data();
  buffer.size = message.size();
  fuse_session_process_buf(fuse_, &buffer);
  TakeReplies();
}

void ServedTree::AnswerAll() {
  completions_.Stop();
  TakeReplies();
}

void ServedTree::TakeReplies() {
  static std::vector<char> buffer(kReplyBytesMax);
  for (;;) {
    const ssize_t bytes = recv(kernel_end_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (bytes < 0) return;
    fuse_out_header header = {};
    Require(static_cast<size_t>(bytes) >= sizeof header, "a reply has a header");
    std::memcpy(&header, buffer.data(), sizeof header);
    Require(header.len == bytes, "a reply is as long as it says");
    Require(header.error <= 0 && header.error > -512, "a reply's error is an errno");
    on_reply_(header.unique, -header.error, {buffer.data() + sizeof header, bytes - sizeof header});
  }
}

}  // namespace rnullfs
