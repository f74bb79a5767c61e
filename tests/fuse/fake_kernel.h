// What programs do to files, as the requests the kernel makes of it.
//
// Thread safety: all calls from any thread, except HangUp() and destruction.
#ifndef RNULLFS_TESTS_FUSE_FAKE_KERNEL_H_
#define RNULLFS_TESTS_FUSE_FAKE_KERNEL_H_

#include <linux/fuse.h>

#include <cstdint>
#include <future>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuse/fake_peer.h"

namespace rnullfs {

inline constexpr uint64_t kRoot = FUSE_ROOT_ID;

// A file that is open.
struct OpenFile {
  uint64_t node = 0;
  uint64_t handle = 0;
};

struct DirectoryEntry {
  uint64_t node;
  uint64_t next_offset;
  uint32_t type;  // DT_DIR, DT_REG
  std::string name;
};

class FakeKernel : public FakePeer {
 public:
  using FakePeer::FakePeer;

  // Offers every capability there is.
  fuse_init_out Init();

  FuseReply Lookup(uint64_t directory, std::string_view name);
  FuseReply MakeDirectory(uint64_t directory, std::string_view name, uint32_t mode = 0755);
  FuseReply RemoveDirectory(uint64_t directory, std::string_view name);
  FuseReply GetAttr(uint64_t node);
  FuseReply SetAttr(uint64_t node, const fuse_setattr_in& change);
  FuseReply StatFs(uint64_t node);
  FuseReply ReadDirectory(uint64_t directory, uint64_t offset, uint32_t size);

  FuseReply Open(uint64_t node, uint32_t flags);
  FuseReply Read(OpenFile file, uint64_t offset, uint32_t size);
  FuseReply Write(OpenFile file, uint64_t offset, std::string_view data);
  FuseReply Flush(OpenFile file);
  FuseReply Sync(OpenFile file, uint32_t opcode = FUSE_FSYNC);
  FuseReply Release(OpenFile file);
  FuseReply Allocate(OpenFile file, uint32_t mode, uint64_t offset, uint64_t length);
  FuseReply Seek(OpenFile file, uint64_t offset, uint32_t whence);

  std::future<FuseReply> SendRead(OpenFile file, uint64_t offset, uint32_t size);
  std::future<FuseReply> SendWrite(OpenFile file, uint64_t offset, std::string_view data);

  // --- Several requests, none of which may fail
  // ---------------------------------------------------

  uint64_t Find(uint64_t directory, std::string_view name);
  OpenFile OpenOf(uint64_t directory, std::string_view name, uint32_t flags);
  void Close(OpenFile file);
  std::string ReadFile(uint64_t directory, std::string_view name);

  // mkdir, and `json` into its config.json; returns the directory.
  uint64_t MakeDevice(std::string_view name, std::string_view json);

  // --- Several requests
  // ---------------------------------------------------------------------------

  // echo text > name; returns the errno of its write(2).
  int WriteFile(uint64_t directory, std::string_view name, std::string_view text);
  // All entries, in pieces of at most `size` bytes.
  std::vector<DirectoryEntry> List(uint64_t directory, uint32_t size = 4096);
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_FUSE_FAKE_KERNEL_H_
