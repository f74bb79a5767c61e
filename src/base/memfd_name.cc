#include "base/memfd_name.h"

#include <charconv>

#include "absl/strings/str_cat.h"

namespace rnullfs {
namespace {

constexpr std::string_view kDiskPrefix = "rnullfs:";

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

}  // namespace

std::string DiskMemfdName(uint64_t id, std::string_view device) {
  return absl::StrCat(std::string(kDiskPrefix), id, ":", std::string(device));
}

std::string CacheMemfdName(uint64_t id, std::string_view device) {
  return DiskMemfdName(id, "/" + std::string(device));
}

std::optional<DiskMemfd> ParseDiskMemfd(std::string_view link) {
  std::optional<DiskMemfd> disk = ParseAny(link);
  // Another program may call a memfd what it likes, but no disk of ours.
  if (disk.has_value() && disk->device.find('/') != std::string::npos) return std::nullopt;
  return disk;
}

std::optional<uint64_t> ParseCacheMemfd(std::string_view link) {
  const std::optional<DiskMemfd> cache = ParseAny(link);
  if (!cache.has_value() || !cache->device.starts_with('/')) return std::nullopt;
  return cache->id;
}

bool IsStateMemfd(std::string_view link) { return NameIn(link) == kStateMemfdName; }

}  // namespace rnullfs
