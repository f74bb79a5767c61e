#include "past/request_log.h"

#include <algorithm>
#include <cerrno>
#include <vector>

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = VersionFile::Layout::kPageSize;
constexpr uint64_t kLog = VersionFile::Layout::kLog;
constexpr uint64_t kLogPages = VersionFile::Layout::kLogPages;
constexpr uint64_t kLinesMin = 4096;
constexpr uint64_t kSpareBytes = 16 * kPageSize;  // that are left to what needs them more

}  // namespace

// `number` counts: it is stored last, and is another one while the rest is being written.
struct RequestLog::Slot {
  std::atomic<uint64_t> number;
  std::atomic<uint64_t> what;  // kind, flags, errno (16 bits), microseconds (32)
  std::atomic<uint64_t> offset;
  std::atomic<uint64_t> length;
  std::atomic<int64_t> began_nsec;
  std::atomic<uint64_t> answered;
  std::atomic<uint64_t> unanswered;
  std::atomic<uint64_t> next;  // number of the same request; 0: it was the last
};

namespace {

constexpr uint64_t kLinesPerPage = kPageSize / 64;

uint64_t PageOf(uint64_t number) { return number / kLinesPerPage; }
uint64_t PlaceOfPage(uint64_t page) { return kLog + page % kLogPages * kPageSize; }

uint64_t LinesFor(uint64_t history_bytes) {
  if (history_bytes == 0) return 0;
  return std::clamp(history_bytes / 4 / 64, kLinesMin, RequestLog::kLinesMax);
}

uint64_t Packed(const LogEntry& entry) {
  return static_cast<uint64_t>(entry.kind) | uint64_t{entry.flags} << 8 |
         static_cast<uint64_t>(entry.error & 0xffff) << 16 | uint64_t{entry.usec} << 32;
}

}  // namespace

RequestLog::Slot& RequestLog::SlotOf(uint64_t number) const {
  static_assert(sizeof(Slot) * kLinesPerPage == kPageSize);
  return *reinterpret_cast<Slot*>(
      file_.At(PlaceOfPage(PageOf(number)) + number % kLinesPerPage * sizeof(Slot)));
}

// Touches only what has been stored.
RequestLog::Slot* RequestLog::Find(uint64_t number) const {
  if (number < first() || number > has_place_.load(std::memory_order_acquire)) return nullptr;
  Slot& slot = SlotOf(number);
  return slot.number.load(std::memory_order_acquire) == number ? &slot : nullptr;
}

void RequestLog::SetHistory(uint64_t bytes) {
  const LockGuard lock(mutex_);
  const bool begins = bytes > 0 && !on();
  limit_.store(LinesFor(bytes));  // before it is asked what has been counted
  if (begins || bytes == 0) static_cast<void>(ForgetAll());
}

// Whether what was left has the page.  It may have died before it had stored the last one.
bool RequestLog::HasPage(uint64_t page, uint64_t last) {
  const uint64_t place = PlaceOfPage(page);
  if (file_.IsStored(place)) return true;
  return page == PageOf(last) && file_.StorePage(place) == 0;
}

// Gaps are what it died in; what of it may have been done is what is counted again.
void RequestLog::Adopt(uint64_t history_bytes) {
  const LockGuard lock(mutex_);
  limit_.store(LinesFor(history_bytes), std::memory_order_release);
  const uint64_t last = this->last();
  const uint64_t begin = last - std::min(last, kLinesMax) + 1;
  uint64_t first = std::max(this->first(), begin);
  if (this->first() == 0 || !on()) first = last + 1;
  std::vector<Slot*> open;
  uint64_t whole = 0;  // below this number
  has_place_ = PageOf(last) * kLinesPerPage + kLinesPerPage - 1;
  for (uint64_t number = last; number >= first; --number) {
    const bool new_page = number == last || PageOf(number) != PageOf(number + 1);
    if (new_page && !HasPage(PageOf(number), last)) {
      first = number + 1;
      break;
    }
    Slot& slot = SlotOf(number);
    if (slot.number != number) {
      slot.what = 0;
      slot.answered = number + 1;
      slot.number = number;
    }
    if (slot.answered == 0) open.push_back(&slot);
    // All that was counted before that had been answered, and so is there.
    if (At(number)->is_flush()) whole = std::max<uint64_t>(whole, slot.unanswered);
    if (number <= whole) break;
  }
  for (Slot* const slot : open) slot->answered = last + 1 + 2 * open.size();
  Forget(first);
  if (first > last) has_place_ = 0;
}

void RequestLog::NoteChange(uint64_t number) {
  const std::optional<LogEntry> entry = At(number);
  if (!entry || entry->kind != LogEntry::Kind::kNothing) return;
  const LockGuard lock(mutex_);
  Forget(number + 1);
}

// --- What is counted ---------------------------------------------------------------------------

void RequestLog::Add(uint64_t number, const LogEntry& what) {
  if (what.jumps()) file_.header().log_jump = number;
  if (!on() || !HasPlaceFor(number)) return;
  Slot& slot = SlotOf(number);
  CountedRequest* const request = CountedRequest::OfThisThread();
  slot.what.store(Packed(what), std::memory_order_relaxed);
  slot.offset.store(what.offset, std::memory_order_relaxed);
  slot.length.store(what.length, std::memory_order_relaxed);
  slot.began_nsec.store(request == nullptr ? 0 : request->began_nsec(), std::memory_order_relaxed);
  slot.answered.store(request == nullptr ? number + 1 : 0, std::memory_order_relaxed);
  slot.next.store(0, std::memory_order_relaxed);
  const bool flush = what.kind == LogEntry::Kind::kFlush;
  // What the same request has written before it is flushed, as if that had been answered.
  if (flush && request != nullptr) EndAt(*request, 0, request->began_nsec(), number - 1);
  slot.unanswered.store(flush ? FirstUnanswered(number) : 0, std::memory_order_relaxed);
  slot.number.store(number, std::memory_order_release);
  if (request == nullptr) return;
  if (Slot* const before = Find(request->last())) before->next = number;
  request->Add(number);
}

void RequestLog::TakeBack(uint64_t number) {
  Slot* const slot = Find(number);
  if (slot == nullptr) return;
  slot->what |= uint64_t{ENOSPC} << 16 | uint64_t{LogEntry::kTakenBack} << 8;
  slot->answered.store(number + 1, std::memory_order_release);
}

void RequestLog::End(const CountedRequest& request, int error, int64_t now_nsec) {
  EndAt(request, error, now_nsec, last());
}

void RequestLog::EndAt(const CountedRequest& request, int error, int64_t now_nsec,
                       uint64_t newest) {
  const int64_t usec = std::max<int64_t>(0, now_nsec - request.began_nsec()) / 1000;
  const uint64_t how =
      std::min<uint64_t>(usec, UINT32_MAX) << 32 | static_cast<uint64_t>(error & 0xffff) << 16;
  // Where a link of the row has been forgotten the others are looked for.
  for (uint64_t number = request.first(); number != 0 && number <= request.last();) {
    Slot* const slot = Find(number);
    const bool ours = slot != nullptr && slot->began_nsec == request.began_nsec();
    const uint64_t next = ours ? slot->next.load() : 0;
    if (ours && slot->answered == 0) {
      slot->what |= how;
      slot->answered.store(newest + 1, std::memory_order_release);
    }
    number = next != 0 ? next : std::max(number + 1, first());
  }
}

// The lowest number, but for reads, that had not been answered before `number` was counted, or is
// that.  Flushes may ask in another order than that in which they were counted: what is known of an
// earlier one holds for this one, and of a later one it does not.
uint64_t RequestLog::FirstUnanswered(uint64_t number) {
  const LockGuard lock(mutex_);
  uint64_t until = first();
  for (const Flushed& before : flushed_) {
    if (before.number < number) until = std::max(until, before.unanswered);
  }
  for (; until < number; ++until) {
    const Slot* const slot = Find(until);
    if (slot == nullptr) break;
    const uint64_t answered = slot->answered.load(std::memory_order_acquire);
    const bool reads = slot->what.load(std::memory_order_relaxed) % 256 ==
                       static_cast<uint64_t>(LogEntry::Kind::kRead);
    if (!reads && (answered == 0 || answered > number)) break;
  }
  until = std::min(until, number);
  flushed_[next_flushed_++ % flushed_.size()] = {number, until};
  return until;
}

std::optional<LogEntry> RequestLog::At(uint64_t number) const {
  const Slot* const slot = Find(number);
  if (slot == nullptr) return std::nullopt;
  const uint64_t what = slot->what.load(std::memory_order_acquire);
  const LogEntry entry = {.kind = static_cast<LogEntry::Kind>(what & 0xff),
                          .flags = static_cast<uint8_t>(what >> 8),
                          .number = number,
                          .offset = slot->offset.load(std::memory_order_acquire),
                          .length = slot->length.load(std::memory_order_acquire),
                          .began_nsec = slot->began_nsec.load(std::memory_order_acquire),
                          .answered = slot->answered.load(std::memory_order_acquire),
                          .usec = static_cast<uint32_t>(what >> 32),
                          .error = static_cast<int>(what >> 16 & 0xffff),
                          .unanswered = slot->unanswered.load(std::memory_order_acquire)};
  // Somebody may have overwritten it meanwhile: this is read last.
  if (slot->number.load(std::memory_order_acquire) != number) return std::nullopt;
  return entry;
}

// --- Memory ------------------------------------------------------------------------------------

bool RequestLog::GiveBack() {
  const LockGuard lock(mutex_);
  return ForgetAll();
}

bool RequestLog::ForgetAll() {
  const uint64_t until = has_place_.exchange(0);  // who counts from here on waits for a place
  const uint64_t before = first();
  const bool had_any = until != 0 && until >= before;
  RaiseFirst(file_.header().sequence.load() + 1);
  if (had_any) Punch(PageOf(before), PageOf(until) + 1);
  return had_any;
}

bool RequestLog::HasPlaceFor(uint64_t number) {
  if (number <= has_place_.load()) return number >= first();
  const LockGuard lock(mutex_);
  while (has_place_ < number) {
    const uint64_t page = PageOf(std::max<uint64_t>(has_place_ + 1, first()));
    if (!file_.HasMemory(kSpareBytes) || file_.StorePage(PlaceOfPage(page)) != 0) {
      Forget(number + 1);
      return false;
    }
    has_place_.store((page + 1) * kLinesPerPage - 1, std::memory_order_release);
    if (number > limit_) Forget(number - limit_);
  }
  return number >= first();
}

void RequestLog::RaiseFirst(uint64_t first) {
  if (first > this->first()) file_.header().log_first.store(first, std::memory_order_release);
}

void RequestLog::Punch(uint64_t page, uint64_t end) {
  for (page = std::max(page, end - std::min(end, kLogPages)); page < end; ++page) {
    file_.PunchPage(PlaceOfPage(page));
  }
}

// All that is older than `first`.
void RequestLog::Forget(uint64_t first) {
  const uint64_t before = this->first();
  if (first <= before) return;
  RaiseFirst(first);
  Punch(PageOf(before), std::min(PageOf(first), PageOf(has_place_) + 1));
}

}  // namespace rnullfs
