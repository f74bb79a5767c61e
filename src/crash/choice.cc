#include "crash/choice.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/mix.h"
#include "base/parse.h"
#include "store/page_sectors.h"

namespace rnullfs {
namespace {

constexpr std::pair<std::string_view, CrashChoice::Kind> kNames[] = {
    {"before", CrashChoice::Kind::kBefore},
    {"without", CrashChoice::Kind::kWithout},
    {"only", CrashChoice::Kind::kOnly},
    {"torn", CrashChoice::Kind::kTorn},
};

std::optional<CrashChoice> ParseName(std::string_view name) {
  if (name == "none") return CrashChoice{.kind = CrashChoice::Kind::kNone};
  if (name == "all") return CrashChoice{.kind = CrashChoice::Kind::kAll};
  if (const std::optional<uint64_t> seed = ParseNumber(name)) {
    return CrashChoice{.kind = CrashChoice::Kind::kSeed, .number = *seed};
  }
  const size_t dash = name.find('-');
  const auto kind = std::find_if(std::begin(kNames), std::end(kNames), [&](const auto& each) {
    return each.first == name.substr(0, dash);
  });
  if (dash == std::string_view::npos || kind == std::end(kNames)) return std::nullopt;
  CrashChoice choice = {.kind = kind->second};
  std::string_view number = name.substr(dash + 1);
  if (choice.kind == CrashChoice::Kind::kTorn) {
    const size_t second = number.find('-');
    if (second == std::string_view::npos) return std::nullopt;
    const std::optional<uint64_t> sectors = ParseNumber(number.substr(second + 1));
    if (!sectors) return std::nullopt;
    choice.sectors = *sectors;
    number = number.substr(0, second);
  }
  const std::optional<uint64_t> request = ParseNumber(number);
  if (!request) return std::nullopt;
  choice.number = *request;
  choice.requests = {*request};
  return choice;
}

}  // namespace

std::optional<CrashChoice> CrashChoice::Parse(std::string_view name) {
  std::optional<CrashChoice> choice = ParseName(name);
  if (choice) choice->name = name;
  return choice;
}

// A tear lies between two units, and leaves something of both sides.
bool CrashChoice::Fits(const CrashCut& cut) const {
  switch (kind) {
    case Kind::kNone:
    case Kind::kAll:
    case Kind::kSeed:
      return true;
    case Kind::kBefore:
      return cut.FindRequest(number) != nullptr;
    case Kind::kWithout:
    case Kind::kOnly:
      return std::all_of(requests.begin(), requests.end(),
                         [&](uint64_t each) { return cut.FindRequest(each) != nullptr; });
    case Kind::kTorn: {
      const LogEntry* const request = cut.FindRequest(number);
      if (request == nullptr) return false;
      const uint64_t first = request->offset / kSectorSize;
      const uint64_t end = (request->offset + request->length + kSectorSize - 1) / kSectorSize;
      const uint64_t tear = first + sectors;
      return sectors > 0 && sectors < end - first && tear * kSectorSize % cut.unit_bytes() == 0;
    }
    case Kind::kUnits:
      return std::all_of(units.begin(), units.end(), [&](const auto& each) {
        const CrashUnit* const unit = cut.FindUnit(each.first);
        return unit != nullptr && each.second < unit->versions.size();
      });
  }
  return false;
}

// Whether what the change has made of the unit is there.
bool CrashChoice::Has(const CrashCut& cut, const CrashUnit& unit, uint64_t change) const {
  const auto is_listed = [&] {
    return std::find(requests.begin(), requests.end(), change) != requests.end();
  };
  switch (kind) {
    case Kind::kAll:
      return true;
    case Kind::kBefore:
      return change < number;
    case Kind::kWithout:
      return !is_listed();
    case Kind::kOnly:
      return is_listed();
    case Kind::kTorn: {
      if (change != number) return change < number;
      const uint64_t tear = cut.FindRequest(number)->offset / kSectorSize + sectors;
      return unit.index * cut.unit_bytes() < tear * kSectorSize;
    }
    default:
      return false;
  }
}

std::vector<uint32_t> CrashChoice::Pick(const CrashCut& cut) const {
  std::vector<uint32_t> picks;
  picks.reserve(cut.units().size());
  for (const CrashUnit& unit : cut.units()) {
    uint32_t pick = 0;
    if (kind == Kind::kSeed) {
      const uint64_t bits = Mix(Mix(number + kGoldenGamma) + (unit.index + 1) * kGoldenGamma);
      pick = static_cast<uint32_t>(Scaled(bits, unit.versions.size()));
    } else if (kind == Kind::kUnits) {
      const auto chosen = units.find(unit.index);
      pick = chosen != units.end() ? chosen->second : others_newest ? unit.newest() : 0;
    } else {
      for (const auto& [change, version] : unit.changes) {
        if (Has(cut, unit, change)) pick = version;
      }
    }
    picks.push_back(pick);
  }
  return picks;
}

}  // namespace rnullfs
