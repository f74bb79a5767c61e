#include "past/version_index.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>

#include "store/stripe_locks.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPagesPerStripe = StripeLocks::kPagesPerStripe;

// More than so many in a stripe, and each of its pages gets a list: what that takes is little
// beside them.
constexpr size_t kManyVersions = 8 * kPagesPerStripe;

// What stands for a stripe that is split.
constexpr Version kSplit = kNoVersion;

uint64_t StripeOf(uint64_t page) { return page / kPagesPerStripe; }

}  // namespace

// Room for more is at its end, and, once some have gone, at its beginning.
struct VersionIndex::List {
  uint32_t capacity;
  uint32_t begin;
  uint32_t end;
  Version versions[];

  static size_t Bytes(uint32_t capacity) { return sizeof(List) + capacity * sizeof(Version); }
  // At least so many, as many as an allocation of its size has room for: malloc's are multiples of
  // 16 bytes, of which it takes 8.
  static uint32_t Fill(uint32_t capacity) {
    const size_t bytes = (Bytes(capacity) + 8 + 15) / 16 * 16 - 8;
    return static_cast<uint32_t>((bytes - sizeof(List)) / sizeof(Version));
  }
  static List* Make(uint32_t capacity) {
    void* const memory = std::malloc(Bytes(capacity));
    return memory == nullptr ? nullptr
                             : new (memory) List{.capacity = capacity, .begin = 0, .end = 0};
  }

  uint32_t size() const { return end - begin; }

  // Moves the fewer that there are on one side of the place; false when there is no room.  Much
  // room at the beginning is moved to the end, so that a history that is full pays for that once
  // in a while.
  bool Insert(size_t place, Version version) {
    const bool before = begin > 0 && place < size() / 2;
    if (!before && end == capacity) {
      if (begin == 0 || begin < capacity / 4) return false;
      std::move(versions + begin, versions + end, versions);
      end -= begin;
      begin = 0;
    }
    Version* const first = versions + begin;
    if (before) {
      std::move(first, first + place, first - 1);
      --begin;
      first[static_cast<ptrdiff_t>(place) - 1] = version;
    } else {
      std::move_backward(first + place, versions + end, versions + end + 1);
      ++end;
      first[place] = version;
    }
    return true;
  }

  void Erase(size_t place) {
    Version* const first = versions + begin;
    if (place < size() / 2) {
      std::move_backward(first, first + place, first + place + 1);
      ++begin;
    } else {
      std::move(first + place + 1, versions + end, first + place);
      --end;
    }
  }
};

VersionIndex::~VersionIndex() {
  const auto free = [this](uint64_t /*index*/, void* entry) { Free(entry); };
  stripes_.ForEach(0, UINT64_MAX, free);
  pages_.ForEach(0, UINT64_MAX, free);
}

VersionIndex::Slot VersionIndex::SlotOf(uint64_t page) const {
  const uint64_t stripe = StripeOf(page);
  void* const entry = stripes_.Load(stripe);
  if (entry != XArray::MakeValue(kSplit))
    return {.of_page = false, .index = stripe, .entry = entry};
  return {.of_page = true, .index = page, .entry = pages_.Load(page)};
}

// `single` is where it lies when it is but one.
VersionIndex::Versions VersionIndex::OfEntry(void* entry, Version& single) {
  if (entry == nullptr) return {};
  if (XArray::IsValue(entry)) {
    single = static_cast<Version>(XArray::ToValue(entry));
    return {&single, 1};
  }
  const auto* const list = static_cast<List*>(entry);
  return {list->versions + list->begin, list->size()};
}

VersionIndex::Versions VersionIndex::OfPage(uint64_t page, Version& single) const {
  const Slot slot = SlotOf(page);
  const Versions all = OfEntry(slot.entry, single);
  if (slot.of_page) return all;
  const auto first = FirstOf(all, page);
  const auto end = FirstOf(absl::MakeConstSpan(first, all.end()), page + 1);
  return absl::MakeConstSpan(first, end);
}

// Of that page, or of one behind it.
VersionIndex::Versions::iterator VersionIndex::FirstOf(Versions versions, uint64_t page) const {
  return std::partition_point(versions.begin(), versions.end(),
                              [&](Version version) { return file_.PageOf(version) < page; });
}

// Of those of one page.
VersionIndex::Versions::iterator VersionIndex::FirstAfter(Versions versions,
                                                          uint64_t moment) const {
  return std::partition_point(versions.begin(), versions.end(),
                              [&](Version version) { return file_.UntilOf(version) <= moment; });
}

std::optional<Version> VersionIndex::At(uint64_t page, uint64_t moment) const {
  Version single;
  const Versions versions = OfPage(page, single);
  const auto found = FirstAfter(versions, moment);
  if (found == versions.end()) return std::nullopt;
  return *found;
}

uint64_t VersionIndex::SinceNow(uint64_t page) const {
  Version single;
  const Versions versions = OfPage(page, single);
  return versions.empty() ? 0 : file_.UntilOf(versions.back());
}

uint64_t VersionIndex::Since(uint64_t page, Version version) const {
  Version single;
  const Versions versions = OfPage(page, single);
  const auto before = FirstAfter(versions, file_.UntilOf(version) - 1);
  return before == versions.begin() ? 0 : file_.UntilOf(*std::prev(before));
}

std::optional<uint64_t> VersionIndex::NextInStripe(uint64_t page) const {
  const Slot slot = SlotOf(page);
  if (slot.of_page) {
    uint64_t next = page;
    const uint64_t last = page | (kPagesPerStripe - 1);
    return pages_.Find(&next, last) == nullptr ? std::nullopt : std::optional(next);
  }
  Version single;
  const Versions versions = OfEntry(slot.entry, single);
  const auto found = FirstOf(versions, page);
  if (found == versions.end()) return std::nullopt;
  return file_.PageOf(*found);
}

uint64_t VersionIndex::NextStripe(uint64_t page) const {
  uint64_t stripe = StripeOf(page) + 1;
  if (stripes_.Find(&stripe, UINT64_MAX) == nullptr) return UINT64_MAX;
  return stripe * kPagesPerStripe;
}

// --- Changes -----------------------------------------------------------------------------------

int VersionIndex::Append(uint64_t page, Version version) {
  const Slot slot = SlotOf(page);
  Version single;
  const Versions all = OfEntry(slot.entry, single);
  if (all.empty()) return ArrayOf(slot).Store(slot.index, XArray::MakeValue(version)).error;
  if (!slot.of_page && all.size() >= kManyVersions && Split(slot.index)) {
    return Append(page, version);
  }
  const size_t place = FirstOf(all, page + 1) - all.begin();
  if (!XArray::IsValue(slot.entry) && static_cast<List*>(slot.entry)->Insert(place, version)) {
    return 0;
  }
  return Move(slot, place, version);
}

// To a list of the right size; with a version more, but for kNoVersion.
int VersionIndex::Move(const Slot& slot, size_t place, Version version) {
  Version single;
  const Versions versions = OfEntry(slot.entry, single);
  List* const list = MakeList(versions);
  if (list == nullptr) return ENOMEM;
  if (version != kNoVersion) list->Insert(place, version);
  ArrayOf(slot).Store(slot.index, list);  // over an entry: it takes no memory
  Free(slot.entry);
  return 0;
}

// A list for each page; without memory all stays as it is.
bool VersionIndex::Split(uint64_t stripe) {
  const uint64_t end = (stripe + 1) * kPagesPerStripe;
  Version single;
  uint64_t page = end - kPagesPerStripe;
  for (; page < end; ++page) {
    const Versions versions = OfPage(page, single);
    if (versions.empty()) continue;
    void* const entry =
        versions.size() == 1 ? XArray::MakeValue(versions.front()) : MakeList(versions);
    if (entry == nullptr) break;
    if (pages_.Store(page, entry).error == 0) continue;
    Free(entry);
    break;
  }
  if (page < end) {
    while (page-- > end - kPagesPerStripe) Free(pages_.Erase(page));
    return false;
  }
  Free(stripes_.Store(stripe, XArray::MakeValue(kSplit)).old);
  return true;
}

// With room for some more; nullptr without memory.
VersionIndex::List* VersionIndex::MakeList(Versions versions) {
  const auto count = static_cast<uint32_t>(versions.size());
  List* const list = List::Make(List::Fill(count + count / 2 + 1));
  if (list == nullptr) return nullptr;
  std::copy(versions.begin(), versions.end(), list->versions);
  list->end = count;
  list_bytes_ += List::Bytes(list->capacity);
  return list;
}

void VersionIndex::Erase(uint64_t page, Version version) {
  const Slot slot = SlotOf(page);
  Version single;
  const Versions all = OfEntry(slot.entry, single);
  if (all.size() <= 1) return EraseSlot(slot);
  const Versions versions = OfPage(page, single);
  const auto place = FirstAfter(versions, file_.UntilOf(version) - 1) - all.begin();
  auto* const list = static_cast<List*>(slot.entry);
  list->Erase(static_cast<size_t>(place));
  // Without memory it stays as it is.
  if (list->size() < list->capacity / 4) static_cast<void>(Move(slot, 0, kNoVersion));
}

// With the last page's list its stripe ends to be split.
void VersionIndex::EraseSlot(const Slot& slot) {
  Free(ArrayOf(slot).Erase(slot.index));
  if (!slot.of_page) return;
  uint64_t first = slot.index - slot.index % kPagesPerStripe;
  const uint64_t last = first + kPagesPerStripe - 1;
  if (pages_.Find(&first, last) == nullptr) stripes_.Erase(StripeOf(slot.index));
}

void VersionIndex::Free(void* entry) {
  if (entry == nullptr || XArray::IsValue(entry)) return;
  list_bytes_ -= List::Bytes(static_cast<List*>(entry)->capacity);
  std::free(entry);
}

}  // namespace rnullfs
