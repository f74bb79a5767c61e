// The texts made from the table of attributes for places outside the program: parts of the manual
// pages, the README's table, the shell's completion.  generate_main.cc prints them.
//
// Thread safety: pure functions.
#ifndef RNULLFS_MANUAL_MANUAL_H_
#define RNULLFS_MANUAL_MANUAL_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace rnullfs {

// The mount options that are attributes, by all their names.
std::vector<std::string_view> AttributeOptions();

// The source of a manual page (docs/*.scd, in scdoc's syntax) with what the tables say in the place
// of its markers, "@ATTRIBUTES@" and the like.  EINVAL for a marker that does not exist.
absl::StatusOr<std::string> ManualPage(std::string_view source);

// A Markdown table, one line for each attribute; the README carries it.
std::string ReadmeTable();

// A bash completion of rnullfs's command line.
std::string BashCompletion();

}  // namespace rnullfs

#endif  // RNULLFS_MANUAL_MANUAL_H_
