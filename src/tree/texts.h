// What is remembered of writes of text to a device's files: which requests they were and how they
// ended, and what has been written of config.json so far.
//
// The kernel sends again what a worker that died had not answered, and that may have been done: it
// is answered as then, and not done a second time.  So this is saved in one record with the effect.
//
// Thread safety: as of a plain value.
#ifndef RNULLFS_TREE_TEXTS_H_
#define RNULLFS_TREE_TEXTS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "records/state_records.h"
#include "rnullfs/requester.h"
#include "tree/config_edit.h"

namespace rnullfs {

// What a call does that opens of `disk` stand in the way of.
enum class IfOpen : uint8_t {
  kAgain,   // EAGAIN, with nothing changed: the caller asks again when a disk has been closed
  kRefuse,  // refuses
};

// Who writes, and how.
struct Writer {
  uint64_t request = 0;  // its number, 0 for none
  IfOpen if_open = IfOpen::kRefuse;
  Requester who = {};  // with whose rights what the text names is opened
};

// One write.
struct TextWrite {
  Writer writer = {};
  std::optional<ConfigEdit> edit = std::nullopt;  // what becomes of the text of config.json
  bool piece = false;                             // of which it is a part
  // It is what the file shows anyway: an editor whose text was refused (vim) puts the old one back,
  // and that should not wipe the reason.
  bool put_back = false;
};

class Texts {
 public:
  // How the request ended that has been heard before.
  std::optional<absl::Status> Heard(uint64_t request) const;
  // The write has ended so.
  void Conclude(const absl::Status& how, const TextWrite& write);

  ConfigEdit& edit() { return edit_; }

  void Save(DeviceRecord& record) const;
  void Restore(const DeviceRecord& record);

 private:
  ConfigEdit edit_;
  std::vector<TextRecord> texts_;  // the latest last
};

}  // namespace rnullfs

#endif  // RNULLFS_TREE_TEXTS_H_
