// An operator new that fails from the n-th allocation on, while `limited`.  It is the whole
// program's: one file of it includes this.
//
// Thread safety: none; what is limited has one thread.
#ifndef RNULLFS_TESTS_FAILING_NEW_H_
#define RNULLFS_TESTS_FAILING_NEW_H_

#include <cstddef>
#include <cstdlib>
#include <new>

namespace rnullfs {

inline bool limited = false;
inline int left = 0;     // allocations that succeed
inline int refused = 0;  // that did not

inline bool Refused() {
  if (!limited || left-- > 0) return false;
  ++refused;
  return true;
}

}  // namespace rnullfs

// Not inline: gcc would see a free() of what came from new.
[[gnu::noinline]] void* operator new(size_t size) {
  void* const memory = rnullfs::Refused() ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return rnullfs::Refused() ? nullptr : std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t /*size*/) noexcept {
  std::free(memory);
}

#endif  // RNULLFS_TESTS_FAILING_NEW_H_
