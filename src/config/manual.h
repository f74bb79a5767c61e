// The texts made from the table of attributes for places outside the program: the manual page, the
// README's table, the shell's completion.  generate_main.cc prints them.
//
// Thread safety: pure functions.
#ifndef RNULLFS_CONFIG_MANUAL_H_
#define RNULLFS_CONFIG_MANUAL_H_

#include <string>

namespace rnullfs {

// rnullfs(8), in troff's man macros; docs/rnullfs.8 is this text.
std::string ManualPage();

// A Markdown table, one line for each attribute; the README carries it.
std::string ReadmeTable();

// A bash completion of rnullfs's command line.
std::string BashCompletion();

}  // namespace rnullfs

#endif  // RNULLFS_CONFIG_MANUAL_H_
