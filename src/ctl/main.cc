// rnullctl: works with a mount of rnullfs.  It does nothing that the directory cannot.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>

#include "base/process.h"
#include "ctl/crash_check.h"

namespace rnullfs {
namespace {

constexpr int kUsage = 2;
const CLI::Range kYears(1, 100'000'000, "TIME");  // in seconds

// Beside this program, where a build has it, else as PATH has it.
std::string RnullfsProgram(const char* argv0) {
  std::error_code error;
  const std::filesystem::path beside = std::filesystem::path(OwnPath(argv0)).parent_path();
  for (const std::filesystem::path& each : {beside / "rnullfs", beside / "../sbin/rnullfs"}) {
    if (std::filesystem::exists(each, error)) return each.string();
  }
  return "rnullfs";
}

const CLI::AsNumberWithUnit& Seconds() {
  static const CLI::AsNumberWithUnit seconds(
      std::map<std::string, unsigned>{{"s", 1}, {"m", 60}, {"h", 3600}},
      CLI::AsNumberWithUnit::UNIT_OPTIONAL, "TIME");
  return seconds;
}

void AddCrashCheck(CLI::App& app, CrashCheckOptions& options) {
  CLI::App* const verb = app.add_subcommand(
      "crash-check", "Whether all that a power cut could have left of a disk recovers");
  CLI::Option* const disk =
      verb->add_option("--disk", options.disk, "A disk with a history: its directory, /mnt/d");
  verb->add_option("--from", options.from,
                   "A mark, or a number of its log; else all of it (from scratch: begin)");
  verb->add_option("--to", options.to, "A mark, a number, or now, the default (from scratch: end)");
  verb->add_option("--state", options.state, "Judge that state alone: CUT/NAME");
  verb->add_option("--recover", options.recover,
                   "What is run on each state first, with {} for the disk; statuses up to 3 are "
                   "repairs (fsck)");
  verb->add_option("--check", options.check, "What must succeed then");
  verb->add_option("--acked", options.acked,
                   "Promises, MARK WHAT a line; {acked} in a command is a file with those that "
                   "hold at the cut");
  verb->add_option("--explain", options.explain,
                   "Says what {sector} (and {sectors}) of the disk {} belongs to");
  verb->add_option("--atomic", options.atomic, "Bytes that are written wholly or not at all");
  verb->add_option("--jobs", options.jobs, "So many at once (default: two for each processor)")
      ->check(CLI::Range(1, 1024));
  verb->add_option("--budget", options.budget_s, "How long it may take: 90s, 10m (default), 2h")
      ->transform(Seconds())
      ->check(kYears);
  verb->add_option("--timeout", options.timeout_s, "How long a command may take (default: 60s)")
      ->transform(Seconds())
      ->check(kYears);
  verb->add_option("--depth", options.depth,
                   "2: the power goes while --recover is at work, too (default: 1)")
      ->check(CLI::Range(1, 2));
  verb->add_flag("--first", options.first, "End at the first state that fails");
  verb->add_flag("--json", options.json, "Say it in JSON");
  constexpr const char* kScratch = "From scratch, without --disk";
  verb->add_option("--run", options.run,
                   "A workload for a new disk: {mount} is its file system, {} its disk, {device} "
                   "its directory")
      ->group(kScratch)
      ->excludes(disk);
  verb->add_option("--mkfs", options.mkfs, "Its file system: ext4, xfs, btrfs...; else none")
      ->group(kScratch)
      ->excludes(disk);
  verb->add_option("--mount-options", options.mount_options, "Those of mount -o")
      ->group(kScratch)
      ->excludes(disk);
  verb->add_option("--size", options.size, "Its size (default: 64M)")
      ->group(kScratch)
      ->excludes(disk);
  verb->add_option("--blocksize", options.block_size, "512 to 4096 (default)")
      ->group(kScratch)
      ->excludes(disk);
  verb->add_flag("--rm", options.remove, "Nothing stays, also when something has failed")
      ->group(kScratch)
      ->excludes(disk);
  verb->add_option("--rnullfs", options.rnullfs, "The program that serves it")
      ->group(kScratch)
      ->excludes(disk);
}

int Main(int argc, char** argv) {
  PrepareProcess();
  CLI::App app("Works with a mount of rnullfs.", "rnullctl");
  app.set_version_flag("-V,--version", std::string("rnullctl ") + RNULLFS_VERSION);
  app.require_subcommand(0, 1);  // it is to say which word it does not know
  CrashCheckOptions options;
  options.rnullfs = RnullfsProgram(argv[0]);
  AddCrashCheck(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  if (app.get_subcommands().empty()) {
    std::fputs(app.help().c_str(), stderr);
    return kUsage;
  }
  return CrashCheck(std::move(options));
}

}  // namespace
}  // namespace rnullfs

int main(int argc, char** argv) {
  try {
    return rnullfs::Main(argc, argv);
  } catch (...) {  // there is no memory, or no thread to be had
    std::fputs("rnullctl: there is not enough memory\n", stderr);
    return rnullfs::kUsage;
  }
}
