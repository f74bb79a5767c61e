#include "device/bad_block_table.h"

#include <algorithm>
#include <cerrno>
#include <optional>

namespace rnullfs {
namespace {

constexpr uint64_t kSectorBytes = 512;

BadBlocks::Range SectorsOf(uint64_t offset, uint64_t length) {
  return {offset / kSectorBytes, (offset + length - 1) / kSectorBytes};
}

}  // namespace

BadBlocks BadBlockTable::Get() const {
  const LockGuard lock(mutex_);
  return bad_blocks_;
}

bool BadBlockTable::Replace(const BadBlocks& expected, const BadBlocks& wanted) {
  const LockGuard lock(mutex_);
  if (!(bad_blocks_ == expected)) return false;
  Set(wanted);
  return true;
}

void BadBlockTable::Set(const BadBlocks& bad_blocks) {
  bad_blocks_ = bad_blocks;
  armed_.store(!bad_blocks.empty(), std::memory_order_relaxed);
}

bool BadBlockTable::Touches(uint64_t offset, uint64_t length) const {
  if (length == 0 || !armed()) return false;
  const LockGuard lock(mutex_);
  return bad_blocks_.FindEntry(SectorsOf(offset, length)).has_value();
}

BadBlockTable::Verdict BadBlockTable::Check(uint64_t offset, uint64_t length, const Rules& rules) {
  if (length == 0 || !armed()) return {.good_bytes = length};
  const BadBlocks::Range touched = SectorsOf(offset, length);
  Verdict verdict = {.good_bytes = length};
  {
    const LockGuard lock(mutex_);
    const std::optional<BadBlocks::Range> entry = bad_blocks_.FindEntry(touched);
    if (!entry.has_value()) return verdict;
    const uint64_t bad_from = entry->first * kSectorBytes / rules.blocksize * rules.blocksize;
    verdict.error = EIO;
    verdict.good_bytes = rules.partial_io ? std::max(bad_from, offset) - offset : 0;
    if (!rules.once) return verdict;
    BadBlocks left = bad_blocks_;
    left.Clear(*entry);
    Set(left);
  }
  if (spent_ != nullptr) spent_();
  return verdict;
}

}  // namespace rnullfs
