// A kernel that asks for whatever it is told to, but as the kernel asks.
//
// rnullfs and libfuse trust the kernel in some things: a message holds what its lengths say, names
// are terminated, a file's handle is one that open returned and not yet released, and a released
// disk has no requests under way.  This class sees to those, and leaves everything else as it is.
// It also keeps the books: every request is answered, once.
//
// Thread safety: none.
#ifndef RNULLFS_TESTS_FUZZ_LAWFUL_KERNEL_H_
#define RNULLFS_TESTS_FUZZ_LAWFUL_KERNEL_H_

#include <linux/fuse.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/served_tree.h"

namespace rnullfs {

class LawfulKernel {
 public:
  // A request with these arguments (a structure of <linux/fuse.h> and what follows it).  Where they
  // hold a file handle, it is the number of an open file here.  What the kernel could not ask is
  // left out.
  void Ask(fuse_in_header header, std::string arguments);

  // The number of a node that the file system has told of, or of one that does not exist.
  uint64_t Node(uint64_t number) const { return nodes_[number % nodes_.size()]; }

  bool initialized() const { return initialized_; }

  // As when all processes have ended: what is open is released.  Then the root is still there.
  void Finish();

 private:
  struct Request {
    uint32_t opcode;
    uint64_t node;
  };
  struct Open {
    uint64_t node;
    uint64_t handle;
  };

  bool MakeLawful(fuse_in_header& header, std::string& arguments);
  bool PutHandle(fuse_in_header& header, std::string& arguments, size_t at);
  void Send(fuse_in_header header, const std::string& arguments);
  void Call(uint32_t opcode, uint64_t node, std::string arguments);
  void Replied(uint64_t unique, int error, std::string_view data);
  void AddNode(uint64_t node);

  // The root, and some that do not exist at first.
  std::vector<uint64_t> nodes_ = {FUSE_ROOT_ID, 0, uint64_t{1} << 32, UINT64_MAX};
  std::vector<Open> opens_;
  std::map<uint64_t, Request> waiting_;  // by unique
  uint64_t next_unique_ = 2;
  int last_error_ = 0;  // of the last reply
  bool initialized_ = false;
  ServedTree served_{
      [this](uint64_t unique, int error, std::string_view data) { Replied(unique, error, data); }};
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_FUZZ_LAWFUL_KERNEL_H_
