#include "rnullfs/error.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace rnullfs {
namespace {

// absl's codes are coarser than errno (EBUSY and EAGAIN share one), so the number travels along.
constexpr char kErrnoPayload[] = "rnullfs/errno";

}  // namespace

absl::Status Error(int errno_value, std::string_view sentence) {
  absl::Status status(absl::ErrnoToStatusCode(errno_value), {sentence.data(), sentence.size()});
  status.SetPayload(kErrnoPayload, absl::Cord(absl::StrCat(errno_value)));
  return status;
}

absl::Status SystemError(int errno_value, std::string_view what) {
  return Error(errno_value, absl::StrCat(absl::string_view(what.data(), what.size()), ": ",
                                         std::strerror(errno_value)));
}

int ErrnoOf(const absl::Status& status) {
  if (status.ok()) return 0;
  const absl::optional<absl::Cord> payload = status.GetPayload(kErrnoPayload);
  int errno_value = EIO;
  if (payload.has_value() && !absl::SimpleAtoi(std::string(*payload), &errno_value)) return EIO;
  return errno_value;
}

}  // namespace rnullfs
