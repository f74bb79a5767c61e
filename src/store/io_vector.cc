#include "store/io_vector.h"

#include <algorithm>

namespace rnullfs {
namespace {

// Never written, so the kernel maps its one zero page here over and over.  Were it const, it would
// be a megabyte of zeros in the executable.
char zeros[1 << 20];

}  // namespace

void IoVector::Append(char* data, size_t length) { blocks_.push_back({data, length}); }

void IoVector::AppendZeros(uint64_t length) {
  while (length > 0) {
    const size_t part = std::min<uint64_t>(length, sizeof(zeros));
    Append(zeros, part);
    length -= part;
  }
}

}  // namespace rnullfs
