#include "fuzz/lawful_kernel.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "fuse/operations.h"
#include "fuzz/fuzz_target.h"

namespace rnullfs {
namespace {

constexpr uint32_t kDataBytesMax = 32 << 10;
// Replies that wait for their time: more would not fit into the socket.
constexpr size_t kWaitingMax = 4;
// Behind what a message holds, in the buffer that it lies in: what is missing reads as zeros.
constexpr size_t kSlackBytes = 512;

template <typename T>
T Get(const std::string& arguments, size_t at) {
  T value = {};
  std::memcpy(&value, arguments.data() + at, sizeof value);
  return value;
}

template <typename T>
void Put(std::string& arguments, size_t at, T value) {
  std::memcpy(arguments.data() + at, &value, sizeof value);
}

void Bound(std::string& arguments, size_t at, size_t largest) {
  Put(arguments, at,
      static_cast<uint32_t>(std::min<size_t>(Get<uint32_t>(arguments, at), largest)));
}

// At least the arguments' structure.
void Extend(std::string& arguments, size_t size) {
  if (arguments.size() < size) arguments.resize(size);
}

bool IsAnswered(uint32_t opcode) {
  return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT &&
         opcode != FUSE_NOTIFY_REPLY;
}

}  // namespace

void LawfulKernel::Ask(fuse_in_header header, std::string arguments) {
  if (!initialized_ && header.opcode != FUSE_INIT) {
    fuse_init_in in = {};
    in.minor = FUSE_KERNEL_MINOR_VERSION;
    in.flags = UINT32_MAX;
    in.flags2 = UINT32_MAX;
    Call(FUSE_INIT, 0, std::string(reinterpret_cast<const char*>(&in), sizeof in));
  }
  if (waiting_.size() > kWaitingMax) served_.AnswerAll();
  if (MakeLawful(header, arguments)) Send(header, arguments);
}

void LawfulKernel::Finish() {
  served_.AnswerAll();
  for (const Open& open : std::vector<Open>(opens_)) {
    fuse_release_in in = {};
    in.fh = open.handle;
    Call(FUSE_RELEASE, open.node, std::string(reinterpret_cast<const char*>(&in), sizeof in));
  }
  last_error_ = EIO;
  fuse_in_header root = {};
  root.opcode = FUSE_GETATTR;
  root.nodeid = FUSE_ROOT_ID;
  Ask(root, {});
  Require(last_error_ == 0, "the root is there at the end");
  Require(waiting_.empty(), "every request is answered");
}

// False for what the kernel does not ask.
bool LawfulKernel::MakeLawful(fuse_in_header& header, std::string& arguments) {
  switch (header.opcode) {
    case FUSE_INIT:  // once, in the major version that we speak
      if (initialized_) return false;
      Extend(arguments, sizeof(fuse_init_in));
      Put(arguments, offsetof(fuse_init_in, major), uint32_t{FUSE_KERNEL_VERSION});
      return true;
    case FUSE_DESTROY:       // when nothing else comes
    case FUSE_INTERRUPT:     // of a request that is under way: robustness_test.cc
    case FUSE_NOTIFY_REPLY:  // nobody has asked
    case CUSE_INIT:
      return false;
    case FUSE_READ:
      Extend(arguments, sizeof(fuse_read_in));
      Bound(arguments, offsetof(fuse_read_in, size), kDataBytesMax);
      return PutHandle(header, arguments, offsetof(fuse_read_in, fh));
    case FUSE_READDIR:
      Extend(arguments, sizeof(fuse_read_in));
      Bound(arguments, offsetof(fuse_read_in, size), kDataBytesMax);
      return true;
    case FUSE_WRITE:
      Extend(arguments, sizeof(fuse_write_in));
      Bound(arguments, offsetof(fuse_write_in, size), arguments.size() - sizeof(fuse_write_in));
      return PutHandle(header, arguments, offsetof(fuse_write_in, fh));
    case FUSE_FLUSH:
    case FUSE_FSYNC:
    case FUSE_FALLOCATE:
    case FUSE_LSEEK:
    case FUSE_RELEASE:
      Extend(arguments, sizeof(fuse_fallocate_in));
      return PutHandle(header, arguments, 0);
    case FUSE_SETATTR: {
      Extend(arguments, sizeof(fuse_setattr_in));
      const auto valid = Get<uint32_t>(arguments, offsetof(fuse_setattr_in, valid));
      return (valid & FATTR_FH) == 0 || PutHandle(header, arguments, offsetof(fuse_setattr_in, fh));
    }
    default:
      return true;
  }
}

// Puts a real handle where `arguments` have the number of one: of the disk that is asked, or of any
// text file, which then is the one asked.
bool LawfulKernel::PutHandle(fuse_in_header& header, std::string& arguments, size_t at) {
  std::vector<Open> candidates;
  for (const Open& open : opens_) {
    if (IsDisk(header.nodeid) ? open.node == header.nodeid : !IsDisk(open.node)) {
      candidates.push_back(open);
    }
  }
  if (candidates.empty()) return false;
  const Open& open = candidates[Get<uint64_t>(arguments, at) % candidates.size()];
  header.nodeid = open.node;
  Put(arguments, at, open.handle);
  return true;
}

void LawfulKernel::Call(uint32_t opcode, uint64_t node, std::string arguments) {
  fuse_in_header header = {};
  header.opcode = opcode;
  header.nodeid = node;
  if (opcode == FUSE_INIT) Put(arguments, 0, uint32_t{FUSE_KERNEL_VERSION});
  Send(header, arguments);
}

void LawfulKernel::Send(fuse_in_header header, const std::string& arguments) {
  if (header.opcode == FUSE_INIT) initialized_ = true;
  if (header.opcode == FUSE_RELEASE) {
    served_.AnswerAll();
    const auto released = std::find_if(opens_.begin(), opens_.end(), [&](const Open& open) {
      return open.node == header.nodeid &&
             open.handle == Get<uint64_t>(arguments, offsetof(fuse_release_in, fh));
    });
    opens_.erase(released);
  }
  header.unique = next_unique_;
  next_unique_ += 2;
  header.len = sizeof header + arguments.size();
  if (IsAnswered(header.opcode)) {
    waiting_.emplace(header.unique, Request{header.opcode, header.nodeid});
  }
  // Nothing behind what is written, so that a sanitizer sees who reads too far.
  const size_t slack = header.opcode == FUSE_WRITE ? 0 : kSlackBytes;
  std::string message(reinterpret_cast<const char*>(&header), sizeof header);
  served_.Process(message.append(arguments).append(slack, '\0'));
}

void LawfulKernel::Replied(uint64_t unique, int error, std::string_view data) {
  const auto it = waiting_.find(unique);
  Require(it != waiting_.end(), "a request is answered once");
  const Request request = it->second;
  waiting_.erase(it);
  last_error_ = error;
  Require(error == 0 || data.empty(), "an error carries no data");
  if (error != 0) return;
  if (request.opcode == FUSE_LOOKUP || request.opcode == FUSE_MKDIR) {
    fuse_entry_out out = {};
    std::memcpy(&out, data.data(), std::min(sizeof out, data.size()));
    AddNode(out.nodeid);
  } else if (request.opcode == FUSE_OPEN) {
    fuse_open_out out = {};
    std::memcpy(&out, data.data(), std::min(sizeof out, data.size()));
    opens_.push_back({request.node, out.fh});
  }
}

void LawfulKernel::AddNode(uint64_t node) {
  if (std::find(nodes_.begin(), nodes_.end(), node) == nodes_.end()) nodes_.push_back(node);
}

}  // namespace rnullfs
