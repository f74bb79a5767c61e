// Any sequence of requests, as the kernel may send them (lawful_kernel.h): none ends the process,
// each is answered once, and the file system works at the end.
//
// The input is a sequence of records:
//   opcode      1 byte; from 0xf0 on the arguments begin with a header of their own
//   node        1 byte; the number of a node the file system has told of, in that order, behind the
//               root and three that do not exist
//   size        2 bytes, little-endian
//   arguments   that many bytes; a file handle is the number of an open file, in order of opens
// Of a header of its own opcode, node and caller count.

#include <linux/fuse.h>
#include <unistd.h>

#include <cstring>

#include "fuzz/fuzz_target.h"
#include "fuzz/lawful_kernel.h"

namespace rnullfs {
namespace {

constexpr int kRecordsMax = 200;  // a longer input only is slower
constexpr uint8_t kOwnHeader = 0xf0;
constexpr size_t kRecordHeaderBytes = 4;

void Ask(LawfulKernel& kernel, uint8_t opcode, uint8_t node, std::string arguments) {
  fuse_in_header header = {};
  if (opcode < kOwnHeader) {
    header.opcode = opcode;
    header.nodeid = kernel.Node(node);
    header.uid = 1000;
    header.gid = 2000;
    header.pid = getpid();
  } else {
    const size_t given = std::min(sizeof header, arguments.size());
    std::memcpy(&header, arguments.data(), given);
    arguments.erase(0, given);
  }
  kernel.Ask(header, std::move(arguments));
}

}  // namespace
}  // namespace rnullfs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rnullfs;
  LawfulKernel kernel;
  std::string_view rest = AsText(data, size);
  for (int i = 0; i < kRecordsMax && rest.size() >= kRecordHeaderBytes; ++i) {
    const auto byte = [&](size_t at) { return static_cast<uint8_t>(rest[at]); };
    const uint8_t opcode = byte(0);
    const uint8_t node = byte(1);
    const size_t length = byte(2) | byte(3) << 8;
    rest.remove_prefix(kRecordHeaderBytes);
    Ask(kernel, opcode, node, std::string(rest.substr(0, length)));
    rest.remove_prefix(std::min(length, rest.size()));
  }
  kernel.Finish();
  return 0;
}
