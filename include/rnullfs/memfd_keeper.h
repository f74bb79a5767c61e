// Who else holds the memfds of this process: they, and so the disks, outlive it then.
//
// Thread safety: all calls from any thread.
#ifndef RNULLFS_MEMFD_KEEPER_H_
#define RNULLFS_MEMFD_KEEPER_H_

namespace rnullfs {

class MemfdKeeper {
 public:
  virtual ~MemfdKeeper() = default;

  // From now on the file is also held elsewhere, until Drop() of the same file.
  virtual void Keep(int memfd) = 0;
  virtual void Drop(int memfd) = 0;

  // Holds nothing: what is stored ends with the process.
  static MemfdKeeper& None();
};

}  // namespace rnullfs

#endif  // RNULLFS_MEMFD_KEEPER_H_
