// Files of a mount, as any program has them: what rnullctl can do, a shell can.
//
// Thread safety: pure functions of the file system.
// Errors: the errno of the call, with a sentence that names the path and, where a device has
// refused, ends with what its last_error says.
#ifndef RNULLFS_CTL_FILES_H_
#define RNULLFS_CTL_FILES_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/value_type.h"

namespace rnullfs {

absl::StatusOr<std::string> ReadFile(const std::string& path);
// With one write(2).
absl::Status WriteFile(const std::string& path, std::string_view text);
absl::Status MakeDirectory(const std::string& path);
absl::Status RemoveDirectory(const std::string& path);

// A new one where temporary files are.
absl::StatusOr<std::string> MakeTemporaryDirectory();
// Until nobody has it open any more, a second at most; nothing for an empty path.
void RemovePatiently(const std::string& path);

// A history that is never full.
inline constexpr char kAllOfIt[] = "65536";
// One after the other, with last_error's sentence for what the device refuses.
absl::Status SetAttributes(const std::string& device,
                           const std::vector<std::pair<std::string, std::string>>& attributes);

// `status` with the sentence of the device's last_error behind it, where that has one.
absl::Status WithLastError(const absl::Status& status, const std::string& device);

absl::StatusOr<JsonValue> ReadJsonFile(const std::string& path);
// Of an object; null where it has no such member.
const JsonValue* FindMember(const JsonValue& object, std::string_view key);
uint64_t NumberIn(const JsonValue& object, std::string_view key);  // 0 where there is none
std::string TextIn(const JsonValue& object, std::string_view key);

}  // namespace rnullfs

#endif  // RNULLFS_CTL_FILES_H_
