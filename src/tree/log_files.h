// What a device has been asked to do, as files (log_files.cc).
#ifndef RNULLFS_TREE_LOG_FILES_H_
#define RNULLFS_TREE_LOG_FILES_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "tree/entry.h"
#include "tree/rule_files.h"

namespace rnullfs {

inline constexpr uint8_t kLogView = kRuleFilesView + 1;  // and the one behind it

// What has the place in log/, as a Section has it.
std::shared_ptr<Entry> FindInLog(const std::shared_ptr<DeviceNode>& node, Place place);

// A write to log/mark: the moment's name, and a newline.
absl::Status SetMark(DeviceNode& node, std::string_view text, const Writer& writer = {});

}  // namespace rnullfs

#endif  // RNULLFS_TREE_LOG_FILES_H_
