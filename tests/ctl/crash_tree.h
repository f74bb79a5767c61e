// A device's directory as rnullctl sees it, of plain files: what a mount shows, without a mount.
#ifndef RNULLFS_TESTS_CTL_CRASH_TREE_H_
#define RNULLFS_TESTS_CTL_CRASH_TREE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "ctl/crash_directory.h"

namespace rnullfs {

class CrashTree {
 public:
  CrashTree() {
    std::string name = testing::TempDir() + "rnullctl-test-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~CrashTree() { std::filesystem::remove_all(path_); }
  CrashTree(const CrashTree&) = delete;
  CrashTree& operator=(const CrashTree&) = delete;

  const std::string& path() const { return path_; }
  CrashDirectory crash() const { return CrashDirectory(path_); }

  // Below the device's directory, with the directories that it takes.
  std::string Write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = std::filesystem::path(path_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(std::filesystem::path(path_) / name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  bool Has(const std::string& name) const {
    return std::filesystem::exists(std::filesystem::symlink_status(path_ + "/" + name));
  }
  void MakeCut(uint64_t number) const {
    std::filesystem::create_directories(absl::StrCat(path_, "/crash/", number));
  }
  void Mark(const std::string& name, const std::string& number) const {
    std::filesystem::create_directories(path_ + "/crash");
    std::filesystem::create_symlink(number, path_ + "/crash/" + name);
  }

 private:
  std::string path_;
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_CTL_CRASH_TREE_H_
