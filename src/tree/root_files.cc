#include "tree/root_files.h"

#include <algorithm>
#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/parse.h"
#include "base/visible.h"
#include "rnullfs/attributes.h"
#include "rnullfs/error.h"
#include "tree/text_file.h"

namespace rnullfs {
namespace {

constexpr RootRow kFeatures = {"features", 2, 0444, 4096};
constexpr RootRow kStatus = {"status.json", 3, 0444, RootRow::kOfText};
constexpr RootRow kPower = {"power", 4, 0600, 0};
constexpr RootRow kRows[] = {kFeatures, kStatus, kPower};

template <typename Value>
const RootRow* Find(Value RootRow::*key, const Value& value) {
  const auto* const row = std::find_if(std::begin(kRows), std::end(kRows),
                                       [&](const RootRow& each) { return each.*key == value; });
  return row == std::end(kRows) ? nullptr : row;
}

class PowerHandle final : public FileHandle {
 public:
  explicit PowerHandle(Tree& tree) : tree_(tree) {}

  absl::StatusOr<std::string> Read(uint64_t /*offset*/, uint64_t /*length*/) override {
    return std::string();
  }
  absl::StatusOr<uint64_t> Write(uint64_t /*offset*/, std::string_view data,
                                 const Writer& writer) override {
    const std::string_view text = TrimSpace(UpToNul(data));
    const absl::Status done =
        text == "cut" ? tree_.CutPower(writer.request)
                      : Error(EINVAL, absl::StrCat("power: ", Visible(text),
                                                   " is not accepted here; it takes cut, for all "
                                                   "disks at one moment; a disk's own power file "
                                                   "takes 1 and 0"));
    if (!done.ok()) return tree_.Refuse(kPower.inode, done);
    return data.size();
  }
  absl::Status Truncate(uint64_t /*length*/) override { return absl::OkStatus(); }

 private:
  Tree& tree_;
};

}  // namespace

absl::Span<const RootRow> RootRows() { return kRows; }
const RootRow* FindRootRow(std::string_view name) { return Find(&RootRow::name, name); }
const RootRow* FindRootRow(Inode inode) { return Find(&RootRow::inode, inode); }

absl::StatusOr<std::unique_ptr<FileHandle>> RootFile::MakeHandle(int /*flags*/, uint64_t /*handle*/,
                                                                 std::string_view /*opener*/) {
  if (row_.inode == kPower.inode) return std::make_unique<PowerHandle>(tree_);
  if (row_.inode == kFeatures.inode) return std::make_unique<TextFile>(FeaturesLine);
  return std::make_unique<TextFile>([&tree = tree_] { return tree.Status(); });
}

}  // namespace rnullfs
