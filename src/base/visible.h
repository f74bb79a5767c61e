// Names that others chose, for a terminal or a log: a process, a device or a file may be called
// anything, escape sequences included.
//
// Thread safety: pure functions.
#ifndef RNULLFS_BASE_VISIBLE_H_
#define RNULLFS_BASE_VISIBLE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace rnullfs {

// Whether there is a character in it that is not seen, but changes how the text around it is: the
// control characters of ASCII and of Latin-1 (C1), line and paragraph separators, and those that
// turn the direction of writing.  Bytes that are no UTF-8 are none of them.
bool HasControls(std::string_view text);

// The text with these, and with bytes that are no UTF-8, as \xNN.
std::string Visible(std::string_view text);

// The same for who must not allocate: as much of it as there is room for, and how long that is.
size_t VisibleInto(std::string_view text, char* to, size_t room);

}  // namespace rnullfs

#endif  // RNULLFS_BASE_VISIBLE_H_
