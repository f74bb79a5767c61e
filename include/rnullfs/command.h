// A request on its way down: what a front end asks of a device, and how it hears the answer.
//
// A Command is a plain value that lives until Device::Submit() returns.  Offsets and lengths are
// bytes; errors are positive errno values.
#ifndef RNULLFS_COMMAND_H_
#define RNULLFS_COMMAND_H_

#include <sys/uio.h>

#include <cstdint>

#include "absl/types/span.h"

namespace rnullfs {

// The kernel's request operations (REQ_OP_*), and kAllocate, which only a file has.
enum class Op : uint8_t {
  kRead,
  kWrite,
  kFlush,
  kDiscard,      // the range reads as zeros, its storage goes back to the system
  kWriteZeroes,  // the range reads as zeros; what is stored may stay stored
  kAllocate,     // every page of the range is stored afterwards; what it reads is unchanged
};

struct Command {
  Op op = Op::kRead;
  uint64_t offset = 0;         // bytes
  uint64_t length = 0;         // bytes
  const void* data = nullptr;  // kWrite: `length` bytes
  bool direct = false;         // kRead, kWrite: O_DIRECT, so that the disk's blocks count
  bool fua = false;            // kWrite: REQ_FUA, not answered before it is behind the write cache
  // kWriteZeroes, kAllocate: what lies past the end is left out (FALLOC_FL_KEEP_SIZE).  Without it
  // a file would grow, which a disk does not.
  bool keep_size = true;
  // kDiscard: a file's truncation, which a disk that takes no discards has as well.
  bool truncates = false;
  // It comes again, as who had it has died before the answer: it waits as it did, however many do.
  bool again = false;
  // kRead, kWrite that are direct: sectors of 512 bytes will do, of which the disk makes its
  // blocks.
  bool sectors = false;
};

// What became of a command.
struct Answer {
  int error = 0;       // 0, or a positive errno
  uint64_t bytes = 0;  // done: the command's length, cut at the end of the disk; 0 on error
  // The bytes of a successful kRead, in order; the memory is valid during the call only.
  absl::Span<const iovec> data = {};
};

// How an answer reaches the front end: a function and what it is to be told, no allocation.
//
// `complete` is called exactly once for each command, on any thread, possibly before Submit()
// returns.  It must not call back into the device.
struct Completion {
  void (*complete)(void* tag, const Answer& answer) = nullptr;
  void* tag = nullptr;

  void operator()(const Answer& answer) const { complete(tag, answer); }
};

}  // namespace rnullfs

#endif  // RNULLFS_COMMAND_H_
