// The marks of a device (log_files.h) where its moments are: symbolic links, from their names to
// their numbers.
//
// Thread safety: as entry.h.
#ifndef RNULLFS_TREE_MARKS_H_
#define RNULLFS_TREE_MARKS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "tree/entry.h"
#include "tree/log_files.h"

namespace rnullfs {

inline constexpr uint8_t kMarkLinks = kLogView + 1;  // slots: the low 32 bits of the numbers

// The number of the newest that is so called.
std::optional<uint64_t> FindMark(DeviceNode& node, std::string_view name);
std::shared_ptr<Entry> MakeMarkLink(const std::shared_ptr<DeviceNode>& node, uint64_t number);
std::shared_ptr<Entry> FindMarkLink(const std::shared_ptr<DeviceNode>& node, Place place);

// For a listing: those that are at least `first` and lie behind `offset`, with offsets that are
// their numbers and `before` more.  False when `show` has had enough.
bool ShowMarks(DeviceNode& node, uint64_t first, uint64_t before, uint64_t offset,
               Entry::Show show);

}  // namespace rnullfs

#endif  // RNULLFS_TREE_MARKS_H_
