#include "past/left_marks.h"

#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "rnullfs/error.h"
#include "rnullfs/page_store.h"
#include "store/stripe_locks.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = PageStore::kPageSize;
constexpr uint64_t kPagesPerStripe = StripeLocks::kPagesPerStripe;

using Mark = uint32_t;
using Marks = std::array<Mark, kPageSize / sizeof(Mark)>;

void Append(uint64_t page, std::vector<OwnRun>& runs) {
  const uint64_t begin = page * kPageSize;
  if (!runs.empty() && runs.back().end == begin) {
    runs.back().end += kPageSize;
  } else {
    runs.push_back({.begin = begin, .end = begin + kPageSize});
  }
}

void AppendMarked(uint64_t first, const Marks& marks, uint64_t pages, std::vector<OwnRun>& runs) {
  for (uint64_t i = 0; i < marks.size() * kPagesPerStripe && first + i < pages; ++i) {
    const bool own = (marks[i / kPagesPerStripe] >> i % kPagesPerStripe & 1) != 0;
    if (own) Append(first + i, runs);
  }
}

}  // namespace

absl::StatusOr<std::vector<OwnRun>> FindOwnRuns(int marks, uint64_t shared_bytes) {
  std::vector<OwnRun> runs;
  const uint64_t pages = (shared_bytes + kPageSize - 1) / kPageSize;
  constexpr uint64_t kPagesPerBlock = Marks().size() * kPagesPerStripe;
  for (uint64_t block = 0; block * kPagesPerBlock < pages; ++block) {
    const off_t data = lseek(marks, static_cast<off_t>(block * kPageSize), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    if (data < 0) return SystemError(errno, "looking for marks");
    block = static_cast<uint64_t>(data) / kPageSize;
    Marks read = {};
    if (pread(marks, read.data(), sizeof read, static_cast<off_t>(block * kPageSize)) < 0) {
      return SystemError(errno, "reading marks");
    }
    AppendMarked(block * kPagesPerBlock, read, pages, runs);
  }
  return runs;
}

}  // namespace rnullfs
