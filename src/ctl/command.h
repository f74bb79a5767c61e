// A command of the user's, run as often as there is something to try it on.
//
// It is given to the shell, but where it is nothing but words: then it is started directly, which
// saves half a millisecond each time.  It has a process group of its own, nothing to read, and its
// output goes into memory.
//
// Thread safety: immutable; Run() from any thread.
#ifndef RNULLFS_CTL_COMMAND_H_
#define RNULLFS_CTL_COMMAND_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rnullfs {

struct CommandResult {
  int status = 0;  // as the shell has it: 128 and more for a signal; 127: there is no such program
  bool timed_out = false;
  bool interrupted = false;
  std::string output = {};  // its end, where there was much
};

class Command {
 public:
  // What stands for what in it: {"{}", "/mnt/d/disk"}.
  using Places = std::vector<std::pair<std::string, std::string>>;

  explicit Command(std::string text = {}) : text_(std::move(text)) {}

  bool empty() const { return text_.empty(); }
  const std::string& text() const { return text_; }
  // As one would type it.
  std::string With(const Places& places) const;

  // Ends it, with all that it has started in its group, when it takes longer than that, or when the
  // user wants no more, which `heedless` does not hear.
  CommandResult Run(const Places& places, int64_t timeout_nsec, bool heedless = false) const;
  // The same with our own input and output.
  CommandResult RunHere(const Places& places) const;

 private:
  std::string text_;
};

// As one word of the shell's.
std::string ShellQuoted(std::string_view word);

template <typename... Words>
Command LineOf(std::string_view program, const Words&... words) {
  std::string line(program);
  for (const std::string_view word : {std::string_view(words)...}) {
    if (!word.empty()) line += " " + ShellQuoted(word);
  }
  return Command(std::move(line));
}

// Runs a tool of the system's with these words, of which empty ones are left out.  What it said,
// without white space around it; EIO with that when it fails; ECANCELED when the user wants no
// more.
absl::StatusOr<std::string> DoLine(const Command& command, bool heedless = false);
template <typename... Words>
absl::StatusOr<std::string> Do(std::string_view program, const Words&... words) {
  return DoLine(LineOf(program, words...));
}
// The same for who cleans up, also when the user wants no more.
template <typename... Words>
absl::Status CleanUp(std::string_view program, const Words&... words) {
  return DoLine(LineOf(program, words...), /*heedless=*/true).status();
}

}  // namespace rnullfs

#endif  // RNULLFS_CTL_COMMAND_H_
