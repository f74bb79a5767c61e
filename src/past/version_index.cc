#include "past/version_index.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>

namespace rnullfs {

// Room for more is at its end, and, once its oldest have gone, at its beginning.
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
};

VersionIndex::~VersionIndex() {
  lists_.ForEach(0, UINT64_MAX, [this](uint64_t /*page*/, void* entry) { Free(entry); });
}

// `single` is where it lies when it is but one.
absl::Span<const Version> VersionIndex::VersionsOf(void* entry, Version& single) {
  if (entry == nullptr) return {};
  if (XArray::IsValue(entry)) {
    single = static_cast<Version>(XArray::ToValue(entry));
    return {&single, 1};
  }
  const auto* const list = static_cast<List*>(entry);
  return {list->versions + list->begin, list->end - list->begin};
}

absl::Span<const Version>::iterator VersionIndex::FirstAfter(absl::Span<const Version> versions,
                                                             uint64_t moment) const {
  return std::partition_point(versions.begin(), versions.end(),
                              [&](Version version) { return file_.UntilOf(version) <= moment; });
}

std::optional<Version> VersionIndex::At(uint64_t page, uint64_t moment) const {
  Version single;
  const absl::Span<const Version> versions = VersionsOf(lists_.Load(page), single);
  const auto found = FirstAfter(versions, moment);
  if (found == versions.end()) return std::nullopt;
  return *found;
}

uint64_t VersionIndex::SinceNow(uint64_t page) const {
  Version single;
  const absl::Span<const Version> versions = VersionsOf(lists_.Load(page), single);
  return versions.empty() ? 0 : file_.UntilOf(versions.back());
}

uint64_t VersionIndex::Since(uint64_t page, Version version) const {
  Version single;
  const absl::Span<const Version> versions = VersionsOf(lists_.Load(page), single);
  const auto before = FirstAfter(versions, file_.UntilOf(version) - 1);
  return before == versions.begin() ? 0 : file_.UntilOf(*std::prev(before));
}

uint64_t VersionIndex::NextPage(uint64_t page) const {
  return lists_.Find(&page, UINT64_MAX) == nullptr ? UINT64_MAX : page;
}

int VersionIndex::Append(uint64_t page, Version version) {
  void* const entry = lists_.Load(page);
  if (entry == nullptr) return lists_.Store(page, XArray::MakeValue(version)).error;
  if (!XArray::IsValue(entry)) {
    auto* const list = static_cast<List*>(entry);
    if (list->end < list->capacity) {
      list->versions[list->end++] = version;
      return 0;
    }
  }
  return Move(page, entry, version);
}

// To a list that has room at its end; with kNoVersion it is only that.
int VersionIndex::Move(uint64_t page, void* entry, Version version) {
  Version single;
  const absl::Span<const Version> versions = VersionsOf(entry, single);
  const auto count = static_cast<uint32_t>(versions.size());
  List* const list = List::Make(List::Fill(count + count / 2 + 1));
  if (list == nullptr) return ENOMEM;
  std::copy(versions.begin(), versions.end(), list->versions);
  list->versions[count] = version;
  list->end = version == kNoVersion ? count : count + 1;
  lists_.Store(page, list);  // over an entry: it takes no memory
  list_bytes_ += List::Bytes(list->capacity);
  Free(entry);
  return 0;
}

void VersionIndex::Erase(uint64_t page, Version version) {
  void* const entry = lists_.Load(page);
  Version single;
  const absl::Span<const Version> versions = VersionsOf(entry, single);
  if (versions.size() <= 1) {
    lists_.Erase(page);
    return Free(entry);
  }
  auto* const list = static_cast<List*>(entry);
  const auto place = FirstAfter(versions, file_.UntilOf(version) - 1) - versions.begin();
  // What is older moves up: as a rule that is nothing.
  Version* const oldest = list->versions + list->begin;
  std::move_backward(oldest, oldest + place, oldest + place + 1);
  ++list->begin;
  // Without memory it stays as it is.
  if (versions.size() - 1 < list->capacity / 4) static_cast<void>(Move(page, list, kNoVersion));
}

void VersionIndex::Free(void* entry) {
  if (XArray::IsValue(entry)) return;
  list_bytes_ -= List::Bytes(static_cast<List*>(entry)->capacity);
  std::free(entry);
}

}  // namespace rnullfs
