#include "crash/state.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/mix.h"
#include "rnullfs/page_store.h"

namespace rnullfs {
namespace {

// What a unit adds to the identity of a state.
uint64_t PartOf(uint64_t index, uint64_t hash) { return Mix(hash ^ Mix(index + kGoldenGamma)); }

}  // namespace

CrashState::CrashState(Past& past, std::shared_ptr<const CrashCut> cut, const CrashChoice& choice,
                       MemoryLimit& memory, bool is_first)
    : past_(past),
      cut_(std::move(cut)),
      picks_(choice.Pick(*cut_)),
      size_bytes_(past.size_bytes()),
      rest_(past.ViewAt(cut_->moment(), size_bytes_, /*held=*/false)),
      account_(memory),
      is_consulted_(picks_.size()),
      is_refused_(picks_.size()),
      is_first_(is_first) {}

CrashState::~CrashState() = default;

int CrashState::Reserve() {
  const LockGuard lock(mutex_);
  return Charge(picks_.size() * (sizeof(uint32_t) + 1)) ? 0 : ENOSPC;
}

// --- Reading -----------------------------------------------------------------------------------

int CrashState::Read(uint64_t offset, uint64_t length, Sink sink) {
  const std::unique_ptr<char[]> bytes(new (std::nothrow) char[length + 1]);
  if (bytes == nullptr) return ENOMEM;
  {
    const LockGuard lock(mutex_);
    if (const int error = CopyUnits(offset, offset + length, bytes.get()); error != 0) return error;
  }
  const iovec all = {.iov_base = bytes.get(), .iov_len = length};
  sink(length == 0 ? absl::Span<const iovec>() : absl::Span<const iovec>(&all, 1));
  return 0;
}

// What is certain in one piece, as far as it goes.
int CrashState::CopyUnits(uint64_t begin, uint64_t end, char* to) {
  const uint64_t unit_bytes = cut_->unit_bytes();
  if (begin == end) return rest_->CopyOut(0, 0, nullptr);  // whether it is still there
  while (begin < end) {
    const uint64_t next = NextSpecial(UnitOf(begin));
    const uint64_t certain = next > end / unit_bytes ? end : std::max(begin, next * unit_bytes);
    const uint64_t until =
        certain > begin ? certain : std::min(end, (UnitOf(begin) + 1) * unit_bytes);
    const int error = certain > begin ? rest_->CopyOut(begin, until - begin, to)
                                      : CopyUnit(UnitOf(begin), begin, until, to);
    if (error != 0) return error;
    to += until - begin;
    begin = until;
  }
  return 0;
}

// [begin, end) of a unit that is not as it certainly was.
int CrashState::CopyUnit(uint64_t index, uint64_t begin, uint64_t end, char* to) {
  const uint64_t place = index * cut_->unit_bytes();
  if (const auto own = own_.find(index); own != own_.end()) {
    if (own->second == nullptr) {
      std::memset(to, 0, end - begin);
    } else {
      std::memcpy(to, own->second.get() + (begin - place), end - begin);
    }
    return 0;
  }
  const CrashUnit* const unit = cut_->FindUnit(index);
  if (unit == nullptr) return rest_->CopyOut(begin, end - begin, to);
  Consult(*unit);
  const uint32_t pick = picks_[static_cast<size_t>(unit - cut_->units().data())];
  return past_.ViewAt(unit->versions[pick].moment, size_bytes_, /*held=*/false)
      ->CopyOut(begin, end - begin, to);
}

void CrashState::Consult(const CrashUnit& unit) {
  const auto place = static_cast<size_t>(&unit - cut_->units().data());
  if (is_consulted_[place]) return;
  is_consulted_[place] = true;
  consulted_.push_back(unit.index);
}

bool CrashState::MayReadAhead(uint64_t offset, uint64_t length) {
  if (length <= PageStore::kPageSize) return true;
  const std::vector<CrashUnit>& units = cut_->units();
  const LockGuard lock(mutex_);
  bool new_ones = false;
  for (auto unit = FirstUnit(UnitOf(offset));
       unit != units.end() && unit->index <= UnitOf(offset + length - 1); ++unit) {
    const auto place = static_cast<size_t>(unit - units.begin());
    if (is_consulted_[place] || own_.contains(unit->index)) continue;
    if (is_refused_[place]) return true;  // somebody needs the rest of a large folio, it may be
    is_refused_[place] = true;
    new_ones = true;
  }
  return !new_ones;
}

std::vector<uint64_t> CrashState::Consulted() const {
  const LockGuard lock(mutex_);
  return consulted_;
}

std::vector<uint64_t> CrashState::Written() const {
  const LockGuard lock(mutex_);
  std::vector<uint64_t> written;
  for (const auto& own : own_) {
    if (cut_->FindUnit(own.first) != nullptr) written.push_back(own.first);
  }
  return written;
}

// --- Holes -------------------------------------------------------------------------------------

// The first from there on that is not certain.
std::vector<CrashUnit>::const_iterator CrashState::FirstUnit(uint64_t index) const {
  const std::vector<CrashUnit>& units = cut_->units();
  return std::lower_bound(
      units.begin(), units.end(), index,
      [](const CrashUnit& each, uint64_t wanted) { return each.index < wanted; });
}

// The same, or the first that has been written to; UINT64_MAX: none.
uint64_t CrashState::NextSpecial(uint64_t index) const {
  const std::vector<CrashUnit>& units = cut_->units();
  const auto unit = FirstUnit(index);
  const auto own = own_.lower_bound(index);
  return std::min(unit == units.end() ? UINT64_MAX : unit->index,
                  own == own_.end() ? UINT64_MAX : own->first);
}

bool CrashState::IsSpecial(uint64_t index) const { return NextSpecial(index) == index; }

uint64_t CrashState::NextData(uint64_t offset) const {
  const LockGuard lock(mutex_);
  const uint64_t special = NextSpecial(UnitOf(offset));
  const uint64_t place =
      special == UINT64_MAX ? size_bytes_ : std::max(offset, special * cut_->unit_bytes());
  return std::min(place, rest_->NextData(offset));
}

uint64_t CrashState::NextHole(uint64_t offset) const {
  const LockGuard lock(mutex_);
  while (offset < size_bytes_) {
    const uint64_t hole = IsSpecial(UnitOf(offset)) ? offset : rest_->NextHole(offset);
    if (hole >= size_bytes_) break;
    if (!IsSpecial(UnitOf(hole))) return hole;
    offset = (UnitOf(hole) + 1) * cut_->unit_bytes();
  }
  return size_bytes_;
}

// --- Writing -----------------------------------------------------------------------------------

int CrashState::Write(uint64_t offset, uint64_t length, const void* data) {
  const uint64_t unit_bytes = cut_->unit_bytes();
  const auto* bytes = static_cast<const char*>(data);
  const LockGuard lock(mutex_);
  for (uint64_t begin = offset; begin < offset + length;) {
    const uint64_t index = UnitOf(begin);
    const uint64_t end = std::min(offset + length, (index + 1) * unit_bytes);
    const int error = WriteUnit(index, begin, end, bytes + (begin - offset));
    if (error != 0) return error;
    begin = end;
  }
  return 0;
}

// Parts of units as they are written; whole ones take no contents.
int CrashState::WriteZeroes(uint64_t offset, uint64_t length) {
  const uint64_t unit_bytes = cut_->unit_bytes();
  static constexpr char kZeros[4096] = {};
  const uint64_t end = offset + length;
  const uint64_t first = (offset + unit_bytes - 1) / unit_bytes;
  const uint64_t last = end / unit_bytes;
  if (first > last) return Write(offset, length, kZeros);  // within one
  if (offset < first * unit_bytes) {
    const int error = Write(offset, first * unit_bytes - offset, kZeros);
    if (error != 0) return error;
  }
  if (end > last * unit_bytes) {
    const int error = Write(last * unit_bytes, end - last * unit_bytes, kZeros);
    if (error != 0) return error;
  }
  const LockGuard lock(mutex_);
  return ZeroUnits(first, last);
}

// What has certainly been a hole stays one.
int CrashState::ZeroUnits(uint64_t first, uint64_t end) {
  constexpr uint64_t kNodeBytes = 64;
  const uint64_t unit_bytes = cut_->unit_bytes();
  while (first < end) {
    const uint64_t data = UnitOf(rest_->NextData(first * unit_bytes));
    first = std::min(NextSpecial(first), std::max(first, data));
    if (first >= end) break;
    const auto own = own_.find(first);
    if (own != own_.end()) {
      own->second = nullptr;
    } else {
      if (!Charge(kNodeBytes)) return ENOSPC;
      own_.emplace(first, nullptr);
    }
    ++first;
  }
  return 0;
}

bool CrashState::Charge(uint64_t bytes) {
  if (!account_.Take(bytes)) return false;
  stored_bytes_ += bytes;
  account_.Settle(bytes, [stored = stored_bytes_] { return stored; });
  return true;
}

int CrashState::WriteUnit(uint64_t index, uint64_t begin, uint64_t end, const char* data) {
  const uint64_t unit_bytes = cut_->unit_bytes();
  const uint64_t place = index * unit_bytes;
  auto own = own_.find(index);
  if (own == own_.end() || own->second == nullptr) {
    std::unique_ptr<char[]> copy(new (std::nothrow) char[unit_bytes]);
    if (copy == nullptr) return ENOSPC;
    if (end - begin < unit_bytes) {
      const int error = CopyUnits(place, place + unit_bytes, copy.get());
      if (error != 0) return error;
    }
    if (!Charge(unit_bytes)) return ENOSPC;
    if (own == own_.end()) own = own_.emplace(index, nullptr).first;
    own->second = std::move(copy);
  }
  std::memcpy(own->second.get() + (begin - place), data, end - begin);
  return 0;
}

// --- What it is --------------------------------------------------------------------------------

// The difference to the state in which nothing has been lost: unit by unit, so that it does not
// matter in which order they have come to be what they are.
int CrashState::Identify(uint64_t& identity) {
  const LockGuard lock(mutex_);
  const uint32_t unit_bytes = cut_->unit_bytes();
  const std::unique_ptr<char[]> was(new char[unit_bytes]);
  const std::unique_ptr<char[]> zeros(new char[unit_bytes]());
  identity = 0;
  for (size_t i = 0; i < picks_.size(); ++i) {
    const CrashUnit& unit = cut_->units()[i];
    if (own_.contains(unit.index)) continue;
    identity += PartOf(unit.index, unit.versions[picks_[i]].hash);
    identity -= PartOf(unit.index, unit.NewestHash());
  }
  for (const auto& [index, contents] : own_) {
    if (const int error = rest_->CopyOut(index * unit_bytes, unit_bytes, was.get()); error != 0) {
      return error;
    }
    identity +=
        PartOf(index, HashOfUnit(contents == nullptr ? zeros.get() : contents.get(), unit_bytes));
    identity -= PartOf(index, HashOfUnit(was.get(), unit_bytes));
  }
  return 0;
}

}  // namespace rnullfs
