// The origin that a disk has (origin.h): found, taken with a change of configuration, and given up
// when the disk stands alone.
//
// It is taken while the disk has no store yet, so that nothing a disk has is ever replaced, and no
// circle of origins can come to be: what can be one has a store.
//
// Thread safety: Find() from any thread; the rest one call at a time (the disk's owner's lock).
// Errors: EBUSY while the disk is on; EINVAL for a disk that has a store, or none that is to have
// an origin; what Find() says.  With a sentence.
#ifndef RNULLFS_DISK_ORIGIN_H_
#define RNULLFS_DISK_ORIGIN_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rnullfs/medium.h"
#include "rnullfs/memfd_keeper.h"
#include "rnullfs/origin.h"
#include "rnullfs/requester.h"
#include "rnullfs/settings.h"

namespace rnullfs {

class DiskOrigin {
 public:
  // Finds another disk, DISK or DISK@SNAPSHOT, for who may read it.  `again`: EAGAIN instead of
  // EBUSY where that may pass soon.
  using FindDisk =
      std::function<absl::StatusOr<Origin>(const std::string&, const Requester&, bool again)>;

  // All outlive it.  `find_disk` is null where there are no others.
  DiskOrigin(Medium& medium, MemfdKeeper& keeper, FindDisk find_disk)
      : medium_(medium), keeper_(keeper), find_disk_(std::move(find_disk)) {}

  // What `text` means.  Who does not get it taken lets go of it.
  absl::StatusOr<Origin> Find(const std::string& text, const Requester& who, bool again) const;
  std::string text() const { return origin_ ? origin_->text() : std::string(); }
  const OriginKey* key() const { return origin_ ? &origin_->key : nullptr; }
  // Of the log that the disk has yet to go through; null without.
  const OriginKey* log_key() const { return origin_ && origin_->log ? &origin_->log_key : nullptr; }
  // Why what the disk shares cannot be read; empty if it can.
  std::string trouble() const;

  // A change of `seen` to `next`, in three steps: whether it may be; what can fail of it, with
  // `found`, which is what `next` names; and either Commit(), which takes `found` and never fails,
  // or Undo(), before which a store that has been made for it has to be dropped.
  absl::Status Check(const Settings& seen, const Settings& next) const;
  // False: some of what is shared has been copied, and the change is to be made again.
  absl::StatusOr<bool> Prepare(const Settings& seen, const Settings& next,
                               const std::optional<Origin>& found);
  void Commit(std::optional<Origin>& found) noexcept;
  void Undo() noexcept;
  // Between these, for a disk that has just got its store and its history: what is to be gone
  // through, if anything.
  const WrittenLog* LogOf(const std::optional<Origin>& found) const;
  // How many MiB of history that one needs which has yet to be gone through; 0 without.
  uint64_t history_mib() const;
  // That has been done.  Until LetGo() another process would find it still to be gone through.
  void EndLog() noexcept;

  // What was given up is let go of: nobody who comes after this process will look for it.
  void LetGo();
  // The disk is going.
  void Remove();

  // What another process had, before its store is adopted; and what has become of it by then: a
  // store without marks stands alone.
  void Restore(std::optional<Origin> origin);
  void Settle();

 private:
  absl::StatusOr<Origin> FindFile(const std::string& path, const Requester& who, bool again) const;

  Medium& medium_;
  MemfdKeeper& keeper_;
  const FindDisk find_disk_;
  std::optional<Origin> origin_;
  std::optional<Origin> given_up_;
  std::function<void()> forget_log_;  // that has been gone through
  enum class Prepared { kNothing, kToTake, kToEnd } prepared_ = Prepared::kNothing;
};

// The origin that a change of configuration names, looked for where the disk's owner has no lock:
// another disk's is taken for it.  What is not taken is let go of.
class NewOrigin {
 public:
  // All outlive it.
  NewOrigin(const DiskOrigin& origin, const Requester& who, bool again)
      : origin_(origin), who_(who), again_(again) {}
  ~NewOrigin();
  NewOrigin(const NewOrigin&) = delete;
  NewOrigin& operator=(const NewOrigin&) = delete;

  // Looks for what was lacking.  The disk's owner has no lock, as what was found before may be let
  // go of, which may even be the disk's own.
  absl::Status Search();
  // Before the change is made to `next`: what a disk is that begins as that.
  void Fit(Settings& next) const;
  // After it: whether what it names has yet to be looked for.
  bool Lacks(const Settings& seen, const Settings& next);
  std::optional<Origin>& found() { return found_; }

 private:
  const DiskOrigin& origin_;
  const Requester who_;
  const bool again_;
  std::string named_;
  std::optional<Origin> found_;
  bool is_named_ = false;  // `found_` is what `named_` means
};

}  // namespace rnullfs

#endif  // RNULLFS_DISK_ORIGIN_H_
