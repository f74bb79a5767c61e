// The text of a device's config.json on its way to being one JSON object.
//
// Programs write a file in pieces of their choosing: json.dump() token by token, a shell with one
// printf after the other, an editor in blocks.  The pieces are gathered until they are one object,
// and that is applied by the write that completes it, so that its error reaches the writer.  A
// write at offset 0 starts the text anew, as writing an attribute does; one in the middle changes
// what the file shows there; one with O_APPEND goes on where the text ended.
//
// There is one text for a device, of the open that wrote last: who begins another takes its place,
// and who only reads has no part in it.
//
// Thread safety: a plain value.
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
  static constexpr uint64_t kMaxBytes = uint64_t{256} * 1024;
  using Apply = absl::FunctionRef<absl::Status(std::string_view)>;

  struct State {
    std::string text = {};
    uint64_t begin = 0;   // where it lies in the file
    uint64_t handle = 0;  // the open whose it is; 0 when that is not known
    // Something else has succeeded since: who appends from another open begins anew.
    bool aside = false;
  };

  struct Piece {
    uint64_t handle = 0;
    uint64_t offset = 0;
    std::string_view data = {};
    bool append = false;    // at the end, whatever the offset
    uint64_t last_end = 0;  // where the open's piece before this one ended
  };

  ConfigEdit() = default;
  explicit ConfigEdit(State state) : state_(std::move(state)) {}

  // Takes `piece` in.  `shown` is what the file reads as.  Calls `apply` when the text is one
  // object, or shows that it cannot become one; after either the text starts anew.  (It may show
  // with the byte behind the word that is wrong, or with the close: json/json.h.)  EFBIG
  // beyond kMaxBytes, EINVAL where a gap would be left; otherwise what `apply` returned, or OK.
  absl::Status Write(const Piece& piece, std::string_view shown, Apply apply);

  // ftruncate() by that open: drops what lies behind `length`.  That never completes a text.
  void Truncate(uint64_t handle, uint64_t length);

  // A write of something else has succeeded.
  void PutAside() { state_.aside = true; }

  // What is neither applied nor blank; empty otherwise.
  std::string_view unfinished() const;
  const State& state() const { return state_; }

 private:
  bool GoesOn(const Piece& piece) const;

  State state_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_CONFIG_EDIT_H_
