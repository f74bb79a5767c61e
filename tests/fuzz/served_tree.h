// A file system served in this process, a message at a time: libfuse and everything below it, but
// no thread that reads and no mount.  Replies come over a socket.
//
// Every instance begins with an empty tree.
// Thread safety: none, and one instance at a time.
#ifndef RNULLFS_TESTS_FUZZ_SERVED_TREE_H_
#define RNULLFS_TESTS_FUZZ_SERVED_TREE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "device/completion_queue.h"
#include "rnullfs/memory_limit.h"
#include "rnullfs/unique_fd.h"
#include "tree/tree.h"

struct fuse_session;

namespace rnullfs {

class Session;

class ServedTree {
 public:
  using OnReply = std::function<void(uint64_t unique, int error, std::string_view data)>;

  explicit ServedTree(OnReply on_reply);
  ~ServedTree();
  ServedTree(const ServedTree&) = delete;
  ServedTree& operator=(const ServedTree&) = delete;

  // Has the message served, and takes in the replies that are there by then.
  void Process(std::string message);

  // Has everything answered that waits for its time.  From then on nothing waits any more.
  void AnswerAll();

 private:
  void TakeReplies();

  const OnReply on_reply_;
  MemoryLimit memory_;
  CompletionQueue completions_;
  Session& session_;
  UniqueFd kernel_end_;
  fuse_session* fuse_ = nullptr;
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_FUZZ_SERVED_TREE_H_
