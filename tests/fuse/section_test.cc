// Directories of a device that bring their own contents, as the kernel sees them.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "fuse/fuse_test.h"
#include "tree/toy_sections.h"

namespace rnullfs {
namespace {

class SectionFuseTest : public FuseTest {
 protected:
  SectionFuseTest() : FuseTest(ToySections()) {}

  FuseReply Rename(uint64_t from, std::string_view name, uint64_t to, std::string_view new_name) {
    std::string payload(reinterpret_cast<const char*>(&to), sizeof to);
    payload.append(name).append(1, '\0').append(new_name).append(1, '\0');
    return kernel_.Call(FUSE_RENAME, from, payload);
  }

  const uint64_t device_ = kernel_.MakeDevice("d", "{}");
};

TEST_F(SectionFuseTest, NamesOnDemand) {
  const auto at = kernel_.Lookup(device_, "at").As<fuse_entry_out>();
  EXPECT_GT(at.entry_valid, 0U);
  std::vector<std::string> names;
  for (const DirectoryEntry& entry : kernel_.List(at.nodeid, 64)) names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{".", "..", "10", "20"}));

  const auto moment = kernel_.Lookup(at.nodeid, "17").As<fuse_entry_out>();
  EXPECT_EQ(moment.entry_valid, 0U);  // it may be forgotten
  EXPECT_EQ(moment.attr.mode, S_IFDIR | 0555U);
  EXPECT_EQ(kernel_.ReadFile(moment.nodeid, "moment"), "d at 17\n");
  EXPECT_EQ(kernel_.Lookup(at.nodeid, "21").error, ENOENT);
  EXPECT_EQ(kernel_.MakeDirectory(at.nodeid, "18").error, EPERM);
  EXPECT_EQ(kernel_.ReadFile(device_, "last_error"),
            "mkdir: devices are made in the root, snapshots in snapshots/, rules in faults/\n");
  EXPECT_EQ(kernel_.Open(kernel_.Find(moment.nodeid, "moment"), O_WRONLY).error, EACCES);
}

TEST_F(SectionFuseTest, DirectoriesThatAreMadeRenamedAndRemoved) {
  const uint64_t marks = kernel_.Find(device_, "marks");
  const uint64_t mark = kernel_.MakeDirectory(marks, "before").As<fuse_entry_out>().nodeid;
  EXPECT_EQ(Rename(marks, "before", marks, "after").error, 0);
  EXPECT_EQ(kernel_.Find(marks, "after"), mark);
  EXPECT_EQ(Rename(marks, "after", kRoot, "after").error, EXDEV);
  EXPECT_EQ(kernel_.RemoveDirectory(marks, "after").error, 0);
  EXPECT_EQ(kernel_.GetAttr(mark).error, ENOENT);
  EXPECT_EQ(kernel_.RemoveDirectory(device_, "marks").error, EPERM);
}

}  // namespace
}  // namespace rnullfs
