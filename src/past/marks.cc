#include "past/marks.h"

#include <algorithm>
#include <cstring>

#include "base/kill_point.h"

namespace rnullfs {
namespace {

constexpr uint64_t kPageSize = VersionFile::Layout::kPageSize;
constexpr uint64_t kMarks = VersionFile::Layout::kMarks;
// One that is being written overwrites none that is there, should it never be.
constexpr uint64_t kPlaces = Marks::kMarksMax + 8;

}  // namespace

struct Marks::Slot {
  uint64_t number;
  uint64_t request;
  uint64_t length;
  char name[488];

  std::string_view Name() const { return {name, std::min(length, kNameMax)}; }
};

Marks::Slot& Marks::SlotOf(uint64_t mark) const {
  static_assert(kPageSize % sizeof(Slot) == 0 && kPlaces * sizeof(Slot) % kPageSize == 0);
  return *reinterpret_cast<Slot*>(file_.At(kMarks + mark % kPlaces * sizeof(Slot)));
}

// The oldest one that the ring has.
uint64_t Marks::Begin() const {
  const uint64_t marks = file_.header().marks;
  return marks - std::min(marks, kMarksMax);
}

std::optional<uint64_t> Marks::Find(std::string_view name) const {
  const SharedLockGuard lock(mutex_);
  for (uint64_t mark = file_.header().marks; mark-- > Begin();) {
    const Slot& slot = SlotOf(mark);
    if (slot.number < log_.first()) break;
    if (slot.Name() == name) return slot.number;
  }
  return std::nullopt;
}

// Of numbers that rise.
std::string Marks::NameOf(uint64_t number) const {
  const SharedLockGuard lock(mutex_);
  uint64_t begin = Begin();
  uint64_t end = file_.header().marks;
  while (begin < end) {
    const uint64_t middle = begin + (end - begin) / 2;
    const Slot& slot = SlotOf(middle);
    if (slot.number == number) return std::string(slot.Name());
    (slot.number < number ? begin : end) = slot.number < number ? middle + 1 : middle;
  }
  return {};
}

std::vector<Mark> Marks::List() const {
  const SharedLockGuard lock(mutex_);
  std::vector<Mark> marks;
  for (uint64_t mark = Begin(); mark < file_.header().marks; ++mark) {
    const Slot& slot = SlotOf(mark);
    if (slot.number >= log_.first()) marks.push_back({slot.number, std::string(slot.Name())});
  }
  return marks;
}

// The same numbers come again in a session after a rescue: so the name is asked, too.
std::optional<uint64_t> Marks::OfRequest(std::string_view name, uint64_t request) const {
  if (request == 0) return std::nullopt;
  for (uint64_t mark = file_.header().marks; mark-- > Begin();) {
    const Slot& slot = SlotOf(mark);
    if (slot.request == request && slot.Name() == name) return slot.number;
  }
  return std::nullopt;
}

int Marks::MakePlace() {
  const uint64_t place = kMarks + file_.header().marks % kPlaces * sizeof(Slot);
  const uint64_t page = place / kPageSize * kPageSize;
  return file_.IsStored(page) ? 0 : file_.StorePage(page);
}

void Marks::Store(std::string_view name, uint64_t request, uint64_t number) {
  Slot& slot = SlotOf(file_.header().marks);
  KillPoint("mark-counted");
  slot.number = number;
  slot.request = request;
  slot.length = std::min(name.size(), kNameMax);
  std::memcpy(slot.name, name.data(), slot.length);
  file_.header().marks.fetch_add(1, std::memory_order_release);
  KillPoint("mark-stored");
}

}  // namespace rnullfs
