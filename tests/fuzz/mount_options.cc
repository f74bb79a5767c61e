// Any command line: the words are the lines of the input.
//
// It is refused with a sentence, or read into options that, written as a command line again, are
// read the same way.

#include "command_line/mount_options.h"

#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "fuzz/fuzz_target.h"
#include "json/json.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

absl::StatusOr<MountOptions> Parse(const std::vector<std::string>& words) {
  std::vector<const char*> arguments;
  arguments.reserve(words.size());
  for (const std::string& word : words) arguments.push_back(word.c_str());
  return ParseCommandLine(arguments);
}

std::vector<std::string> WordsOf(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c == '\n') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

bool Same(const MountOptions& a, const MountOptions& b) {
  return a.mountpoint == b.mountpoint && a.foreground == b.foreground &&
         a.nr_devices == b.nr_devices && a.transport == b.transport && a.huge == b.huge &&
         a.device == b.device && a.memory_limit == b.memory_limit &&
         a.mount_flags == b.mount_flags && a.given == b.given && a.source == b.source &&
         a.guard == b.guard && a.upgrade == b.upgrade && a.rescue_pid == b.rescue_pid;
}

void RequireReadsAgain(const MountOptions& options) {
  // Quotes hold an option together, whatever is in it.
  const auto quote = [](std::string* list, const std::string& option) {
    absl::StrAppend(list, "\"", option, "\"");
  };
  std::vector<std::string> words = {"-o", absl::StrJoin(options.given, ",", quote)};
  if (options.upgrade) words.emplace_back("--upgrade");
  if (options.rescue_pid != 0) {
    words.insert(words.end(), {"--rescue", absl::StrCat(options.rescue_pid)});
  }
  words.emplace_back("--");
  if (!options.source.empty()) words.push_back(options.source);
  words.push_back(options.mountpoint);
  if (options.foreground) words.insert(words.begin(), "-f");
  const absl::StatusOr<MountOptions> again = Parse(words);
  Require(again.ok() && Same(*again, options), "options that were read are read again");
  const absl::StatusOr<Settings> device = ApplyJson(ShowJson(options.device), Settings());
  Require(device.ok() && *device == options.device, "options make a device that JSON can make");
}

}  // namespace
}  // namespace rnullfs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rnullfs;
  const absl::StatusOr<MountOptions> options = Parse(WordsOf(AsText(data, size)));
  if (!options.ok()) {
    RequireRefusal(options.status(),
                   ErrnoOf(options.status()) == ENOSPC ? ENOSPC : EINVAL);  // bad blocks
  } else if (!options->show_help && !options->show_version) {
    Require(!options->mountpoint.empty(), "there is a mount point");
    Require(options->nr_devices <= kMaxDevicesAtMount, "the number of devices is bounded");
    RequireReadsAgain(*options);
  }
  return 0;
}
