#include "past/file_view.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/visible.h"
#include "rnullfs/error.h"
#include "store/io_vector.h"

namespace rnullfs {
namespace {

// The first bytes of images that are not raw, and what qemu-img calls the format.
struct Format {
  std::string_view magic;
  std::string_view name;
};
constexpr Format kFormats[] = {
    {"QFI\xfb", "qcow2"}, {"KDMV", "vmdk"}, {"vhdxfile", "vhdx"}, {"conectix", "vpc"}};

absl::Status CheckRaw(std::string_view name, int file) {
  char begin[8] = {};
  if (pread(file, begin, sizeof begin, 0) < 0) return SystemError(errno, Visible(name));
  for (const Format& format : kFormats) {
    if (std::memcmp(begin, format.magic.data(), format.magic.size()) != 0) continue;
    return Error(EINVAL, absl::StrCat("origin: ", Visible(name), " is a ", std::string(format.name),
                                      " image; make it raw: qemu-img convert -O raw ",
                                      Visible(name), " NEW"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileView>> FileView::Open(std::string_view name, UniqueFd file) {
  FileIdentity identity;
  const int error = Identify(file.get(), identity);
  if (error == EINVAL) {
    return Error(EINVAL,
                 absl::StrCat("origin: ", Visible(name), " is neither a file nor a block device"));
  }
  if (error != 0) return SystemError(error, absl::StrCat("origin: ", Visible(name)));
  if (identity.size_bytes == 0) {
    return Error(EINVAL, absl::StrCat("origin: ", Visible(name), " is empty"));
  }
  if (absl::Status raw = CheckRaw(name, file.get()); !raw.ok()) return raw;
  return std::make_unique<FileView>(std::move(file), identity);
}

// It is looked at afterwards: what was read before is then what it was.
int FileView::Read(uint64_t offset, uint64_t length, Sink sink) {
  IoVector vector;
  char* const copy = length == 0 ? nullptr : vector.AppendNew(length);
  if (length > 0 && copy == nullptr) return ENOMEM;
  for (uint64_t done = 0; done < length;) {
    const ssize_t got =
        pread(file_.get(), copy + done, length - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return EIO;
    done += static_cast<uint64_t>(got);
  }
  if (changed()) return EIO;
  sink(vector.blocks());
  return 0;
}

// What cannot tell is data.
uint64_t FileView::Seek(uint64_t offset, bool data) const {
  const uint64_t end = size_bytes();
  if (offset >= end) return end;
  // Of what is not what it was nothing is known: who reads there hears it.
  if (changed()) return data ? offset : end;
  const off_t found = lseek(file_.get(), static_cast<off_t>(offset), data ? SEEK_DATA : SEEK_HOLE);
  if (found >= 0) return std::min(static_cast<uint64_t>(found), end);
  return errno == ENXIO || !data ? end : offset;
}

}  // namespace rnullfs
