#include "store/move_pages.h"

#include <algorithm>
#include <cstdint>
#include <memory>

#include "base/kill_point.h"

namespace rnullfs {

int MovePages(Pages& from, Pages& to) {
  const uint64_t size_bytes = from.size_bytes();
  constexpr uint64_t kStep = uint64_t{2} << 20;  // stored twice meanwhile
  const std::unique_ptr<char[]> unmapped(new char[kStep]);
  for (uint64_t begin = from.FirstStored(0, size_bytes); begin < size_bytes;) {
    const uint64_t end = std::min(begin + kStep, size_bytes);
    const StripeLocks::Exclusive lock(from.locks, FirstPage(begin), LastPage(end));
    const StripeLocks::Exclusive to_lock(to.locks, FirstPage(begin), LastPage(end));
    const Pages::Piece piece = from.PieceAt(begin, end);
    const char* data = piece.data;
    if (data == nullptr && piece.stored) {
      if (const int error = from.CopyOut(piece, unmapped.get()); error != 0) return error;
      data = unmapped.get();
    }
    if (const int error = to.Fill({piece.begin, piece.end, nullptr, false}, data); error != 0) {
      return error;
    }
    KillPoint("grow-page-copied");
    if (const int error = from.Free(piece.begin, piece.end); error != 0) return error;
    KillPoint("grow-page-freed");
    begin = from.FirstStored(piece.end, size_bytes);
  }
  return 0;
}

}  // namespace rnullfs
