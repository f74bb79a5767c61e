// Learns in the background which pages the disks of a dead worker have, so that the requests of its
// successor needn't ask the file.
//
// A worker that takes over has an empty index: each page is looked for in the file when it is first
// asked for, and each hole whenever it is.  A thread does it before them, once, and ends.  It maps
// nothing: page tables are what takes the time when a process dies, a twentieth of a second for a
// GiB, and the requests after the next death would wait for it.
//
// Thread safety: Start() and Stop() from one thread.
#ifndef RNULLFS_TREE_RECALLER_H_
#define RNULLFS_TREE_RECALLER_H_

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace rnullfs {

class DeviceNode;

class Recaller {
 public:
  Recaller() = default;
  ~Recaller() { Stop(); }
  Recaller(const Recaller&) = delete;
  Recaller& operator=(const Recaller&) = delete;

  // Begins, once; or doesn't, where there is no thread or no memory for it: every request still
  // finds its own pages.  Never throws.
  void Start(const std::vector<std::shared_ptr<DeviceNode>>& nodes);

  // Ends within one batch (PageStore::kRecallBatch).
  void Stop();

 private:
  void Run(const std::vector<std::weak_ptr<DeviceNode>>& nodes);

  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_RECALLER_H_
