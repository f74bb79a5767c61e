// What tests of silent faults share: a disk, its sectors as letters, and what of it is damaged.
#ifndef RNULLFS_TESTS_DISK_SILENT_UTIL_H_
#define RNULLFS_TESTS_DISK_SILENT_UTIL_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "damage/damage.h"
#include "device/fault_rule_table.h"
#include "disk_util.h"
#include "rnullfs/disk_host.h"
#include "rnullfs/rule_attributes.h"

namespace rnullfs {

// Of whole sectors.
inline std::string LettersOf(const std::string& bytes) {
  std::string letters;
  for (uint64_t at = 0; at < bytes.size(); at += 512) {
    const bool same = bytes.substr(at, 512) == std::string(512, bytes[at]);
    letters += !same ? '!' : bytes[at] == '\0' ? '.' : bytes[at];
  }
  return letters;
}

class SilentFaultsTest : public testing::Test {
 protected:
  void On(const std::string& more = "", int blocksize = 512) {
    const absl::Status status = disk_.WriteJson(
        R"({"memory_backed": true, "discard": true, "size": 1, "power": true, "blocksize": )" +
        std::to_string(blocksize) + more + "}");
    ASSERT_TRUE(status.ok()) << status;
  }
  void Set(const std::string& attribute, const std::string& text) {
    const absl::Status status = disk_.Write(attribute, text);
    ASSERT_TRUE(status.ok()) << status;
  }
  void Rules(const std::string& lines) { Set("faults", lines); }

  int Write(uint64_t sector, std::string_view letters, bool fua = false) {
    std::string bytes;
    for (const char letter : letters) bytes += std::string(512, letter);
    return disk_.Do({.op = Op::kWrite,
                     .offset = sector * 512,
                     .length = bytes.size(),
                     .data = bytes.data(),
                     .fua = fua});
  }
  int Flush() { return disk_.Do({.op = Op::kFlush}); }
  std::string Shown(uint64_t sector, uint64_t count) {
    std::string bytes(count * 512, '?');
    const Command read = {.op = Op::kRead, .offset = sector * 512, .length = bytes.size()};
    EXPECT_EQ(disk_.Do(read, bytes.data()), 0);
    return rnullfs::LettersOf(bytes);
  }
  // What it would show, had all been done as it was answered.
  std::string Truth(uint64_t sector, uint64_t count) {
    return LettersOf(disk_.medium()->contents(), sector, count);
  }
  static std::string LettersOf(View& view, uint64_t sector, uint64_t count) {
    std::string bytes(count * 512, '?');
    EXPECT_EQ(view.CopyOut(sector * 512, bytes.size(), bytes.data()), 0);
    return rnullfs::LettersOf(bytes);
  }
  Damage& damage() { return disk_.medium()->damage(); }
  // "8-15 lost a": without when it was.
  std::string Listed() {
    const RuleAttribute& action = *FindRuleAttribute("action");
    std::string text;
    for (const Damage::Range& range : damage().List()) {
      text += std::to_string(range.first) + "-" + std::to_string(range.last) + " " +
              action.type->Text(static_cast<uint64_t>(range.action)) + " " + range.rule + "\n";
    }
    return text;
  }
  uint64_t Hits(const std::string& rule) {
    return disk_.medium()->fault_rules().CountsOf(rule)->hits;
  }

  DiskHost host_;
  Disk disk_{1, "disk", host_.services()};
};

}  // namespace rnullfs

#endif  // RNULLFS_TESTS_DISK_SILENT_UTIL_H_
