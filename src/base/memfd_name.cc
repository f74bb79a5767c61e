#include "base/memfd_name.h"

#include <charconv>

#include "absl/strings/str_cat.h"

namespace rnullfs {
namespace {

constexpr std::string_view kDiskPrefix = "rnullfs:";
// Guards and workers of versions that know none of these hold such a disk's, and leave it alone.
constexpr std::string_view kPast = "past/";
constexpr std::string_view kMarks = "marks/";
constexpr std::string_view kFaults = "faults/";
constexpr std::string_view kDamage = "damage/";

// What memfd_create() was called with; nothing for what is no memfd.
std::string_view NameIn(std::string_view link) {
  constexpr std::string_view kBefore = "/memfd:";
  constexpr std::string_view kBehind = " (deleted)";
  if (!link.starts_with(kBefore) || !link.ends_with(kBehind)) return {};
  return link.substr(kBefore.size(), link.size() - kBefore.size() - kBehind.size());
}

std::optional<DiskMemfd> ParseAny(std::string_view link) {
  std::string_view name = NameIn(link);
  if (!name.starts_with(kDiskPrefix)) return std::nullopt;
  name.remove_prefix(kDiskPrefix.size());
  DiskMemfd disk = {};
  const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), disk.id);
  const size_t digits = stop - name.data();
  if (error != std::errc() || digits >= name.size() || name[digits] != ':') return std::nullopt;
  disk.device = name.substr(digits + 1);
  if (disk.device.empty()) return std::nullopt;
  return disk;
}

std::optional<uint64_t> ParseKind(std::string_view link, std::string_view kind) {
  const std::optional<DiskMemfd> memfd = ParseAny(link);
  if (!memfd.has_value() || !memfd->device.starts_with(kind)) return std::nullopt;
  return memfd->id;
}

}  // namespace

std::string DiskMemfdName(uint64_t id, std::string_view device) {
  return absl::StrCat(std::string(kDiskPrefix), id, ":", std::string(device));
}

std::string CacheMemfdName(uint64_t id, std::string_view device) {
  return DiskMemfdName(id, "/" + std::string(device));
}

std::string PastMemfdName(uint64_t id, std::string_view device) {
  return DiskMemfdName(id, absl::StrCat(std::string(kPast), std::string(device)));
}

std::string MarksMemfdName(uint64_t id, std::string_view device) {
  return DiskMemfdName(id, absl::StrCat(std::string(kMarks), std::string(device)));
}

std::string FaultsMemfdName(uint64_t id, std::string_view device) {
  return DiskMemfdName(id, absl::StrCat(std::string(kFaults), std::string(device)));
}

std::string DamageMemfdName(uint64_t id, std::string_view device) {
  return DiskMemfdName(id, absl::StrCat(std::string(kDamage), std::string(device)));
}

std::optional<DiskMemfd> ParseDiskMemfd(std::string_view link) {
  std::optional<DiskMemfd> disk = ParseAny(link);
  // Another program may call a memfd what it likes, but no disk of ours.
  if (disk.has_value() && disk->device.find('/') != std::string::npos) return std::nullopt;
  return disk;
}

std::optional<uint64_t> ParseCacheMemfd(std::string_view link) { return ParseKind(link, "/"); }
std::optional<uint64_t> ParsePastMemfd(std::string_view link) { return ParseKind(link, kPast); }
std::optional<uint64_t> ParseMarksMemfd(std::string_view link) { return ParseKind(link, kMarks); }
std::optional<uint64_t> ParseFaultsMemfd(std::string_view link) { return ParseKind(link, kFaults); }
std::optional<uint64_t> ParseDamageMemfd(std::string_view link) { return ParseKind(link, kDamage); }

bool IsStateMemfd(std::string_view link) { return NameIn(link) == kStateMemfdName; }

}  // namespace rnullfs
