#include "rnullfs/memfd_keeper.h"

namespace rnullfs {
namespace {

class NoKeeper : public MemfdKeeper {
 public:
  void Keep(int /*memfd*/) override {}
  void Drop(int /*memfd*/) override {}
};

}  // namespace

MemfdKeeper& MemfdKeeper::None() {
  static NoKeeper none;
  return none;
}

}  // namespace rnullfs
