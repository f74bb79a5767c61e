// What a clone reads as: its own pages and its origin's, put together.

#include <algorithm>
#include <cerrno>

#include "past/clone_store.h"
#include "past/parts.h"
#include "store/io_vector.h"
#include "store/pages.h"

namespace rnullfs {

int CloneStore::Read(uint64_t offset, uint64_t length, Sink sink) {
  if (length == 0) {
    sink({});
    return 0;
  }
  const uint64_t end = offset + length;
  const StripeLocks::Shared lock(locks_, FirstPage(offset), LastPage(end));
  const Run run = RunAt(offset, end);
  if (run.end == end) {
    return run.own ? own_.Read(offset, length, sink) : ReadOrigin(offset, length, sink);
  }
  int error = 0;
  const int unread = own_.Read(offset, length, [&](absl::Span<const iovec> own) {
    error = ReadMixed(offset, end, own, sink);
  });
  return unread != 0 ? unread : error;
}

// What is shared is handed out in the one call in which the origin holds it still.
int CloneStore::ReadMixed(uint64_t offset, uint64_t end, absl::Span<const iovec> own,
                          Sink sink) ABSL_NO_THREAD_SAFETY_ANALYSIS {  // in Read()
  uint64_t shared_begin = end;
  uint64_t shared_end = offset;
  for (uint64_t begin = offset; begin < end;) {
    const Run run = RunAt(begin, end);
    if (!run.own) {
      shared_begin = std::min(shared_begin, begin);
      shared_end = run.end;
    }
    begin = run.end;
  }
  const auto mix = [&](absl::Span<const iovec> shared) {
    IoVector vector;
    Parts own_parts(own, offset);
    Parts shared_parts(shared, shared_begin);
    for (uint64_t begin = offset; begin < end;) {
      const Run run = RunAt(begin, end);
      (run.own ? own_parts : shared_parts).AppendTo(vector, begin, run.end);
      begin = run.end;
    }
    sink(vector.blocks());
  };
  if (shared_begin < shared_end) return ReadOrigin(shared_begin, shared_end - shared_begin, mix);
  mix({});  // it stands alone by now; what had been shared were holes
  return 0;
}

// What the origin's last page has not is zeros.
int CloneStore::ReadOrigin(uint64_t offset, uint64_t length, Sink sink) {
  const uint64_t there = std::clamp(origin_->size_bytes(), offset, offset + length) - offset;
  if (there == length) return origin_->Read(offset, length, sink);
  IoVector vector;
  if (there > 0) {
    char* const copy = vector.AppendNew(there);
    if (copy == nullptr) return ENOMEM;
    if (const int error = origin_->CopyOut(offset, there, copy); error != 0) return error;
  }
  vector.AppendZeros(length - there);
  sink(vector.blocks());
  return 0;
}

// With the lock of where it begins, without which the origin may be let go of.
uint64_t CloneStore::NextData(uint64_t offset) const {
  const uint64_t end = size_bytes();
  while (offset < end) {
    const StripeLocks::Shared lock(locks_, FirstPage(offset), FirstPage(offset));
    const Run run = RunAt(offset, end);
    const uint64_t there = run.own ? end : origin_->size_bytes();
    const View& view = run.own ? static_cast<const View&>(own_) : *origin_;
    const uint64_t data = offset < there ? view.NextData(offset) : there;
    if (data < std::min(run.end, there)) return data;
    offset = run.end;
  }
  return end;
}

uint64_t CloneStore::NextHole(uint64_t offset) const {
  const uint64_t end = size_bytes();
  while (offset < end) {
    const StripeLocks::Shared lock(locks_, FirstPage(offset), FirstPage(offset));
    const Run run = RunAt(offset, end);
    if (!run.own && offset >= origin_->size_bytes()) return offset;
    const uint64_t hole = run.own ? own_.NextHole(offset) : origin_->NextHole(offset);
    if (hole < run.end) return hole;
    offset = run.end;
  }
  return end;
}

}  // namespace rnullfs
