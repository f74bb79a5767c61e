// The text of an open config.json on its way to being one JSON object.
//
// Programs write a file in pieces of their choosing: json.dump() token by token, a shell with one
// printf after the other, an editor in blocks.  The pieces are gathered until they are one object,
// and that is applied by the write that completes it, so that its error reaches the writer.  A
// write at offset 0 starts the text anew, as writing an attribute does; one in the middle changes
// what the file shows there; one with O_APPEND goes on where the text ended.
//
// Thread safety: none; the open file's lock guards it.
#ifndef RNULLFS_TREE_CONFIG_EDIT_H_
#define RNULLFS_TREE_CONFIG_EDIT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace rnullfs {

class ConfigEdit {
 public:
  static constexpr uint64_t kMaxBytes = uint64_t{64} * 1024;
  using Apply = absl::FunctionRef<absl::Status(std::string_view)>;

  // `unfinished`: what an earlier open left incomplete; appending goes on with it.
  explicit ConfigEdit(std::string unfinished) : text_(std::move(unfinished)) {}

  // Takes `data` in at `offset` (`append`: at the end).  `shown` is what the file reads as.  Calls
  // `apply` when the text is one object, or can no longer become one; after either the text starts
  // anew.  EFBIG beyond kMaxBytes, EINVAL where a gap would be left; otherwise what `apply`
  // returned, or OK.
  absl::Status Write(uint64_t offset, std::string_view data, bool append, std::string_view shown,
                     Apply apply);

  // ftruncate(): drops what lies behind `length`.  That never completes a text.
  void Truncate(uint64_t length);

  // What is neither applied nor blank; empty otherwise.
  std::string_view unfinished() const;

 private:
  absl::Status ApplyIfWhole(Apply apply);

  std::string text_;
  uint64_t start_ = 0;  // offset of text_ in the file
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_CONFIG_EDIT_H_
