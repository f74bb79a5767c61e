#include "store/io_vector.h"

#include <algorithm>
#include <new>
#include <utility>

namespace rnullfs {
namespace {

// Const, and so pages of the executable: where the kernel maps its one zero page it takes the slow
// way to it, on which a SIGKILL turns the answer into EIO (ReplyRead()).
constexpr char kZeros[1 << 16] = {};

}  // namespace

void IoVector::Append(const char* data, size_t length) {
  blocks_.push_back({const_cast<char*>(data), length});  // an iovec is for both directions
}

void IoVector::AppendZeros(uint64_t length) {
  while (length > 0) {
    const size_t part = std::min<uint64_t>(length, sizeof(kZeros));
    Append(kZeros, part);
    length -= part;
  }
}

char* IoVector::AppendNew(size_t length) {
  std::unique_ptr<char[]> memory(new (std::nothrow) char[length]);
  if (memory == nullptr) return nullptr;
  Append(memory.get(), length);
  own_.push_back(std::move(memory));
  return own_.back().get();
}

}  // namespace rnullfs
