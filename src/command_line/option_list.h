// A list of options as they are given with -o, or as a module's parameters are.
//
// Thread safety: a pure function.
#ifndef RNULLFS_COMMAND_LINE_OPTION_LIST_H_
#define RNULLFS_COMMAND_LINE_OPTION_LIST_H_

#include <string>
#include <string_view>
#include <vector>

namespace rnullfs {

// The options, between commas or, as parse_args() in kernel/params.c has it, white space.  Double
// quotes hold one together, and are taken away.  The list of numbers that null_blk's fault
// parameters take ("timeout=1,100,0,5") is one option.
std::vector<std::string> SplitOptions(std::string_view list);

}  // namespace rnullfs

#endif  // RNULLFS_COMMAND_LINE_OPTION_LIST_H_
