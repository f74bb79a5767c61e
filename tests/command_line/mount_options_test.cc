#include "command_line/mount_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "command_line/options.h"
#include "config/status_matchers.h"
#include "rnullfs/attributes.h"

namespace rnullfs {
namespace {

using Words = std::vector<const char*>;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

MountOptions Parsed(const Words& words) {
  absl::StatusOr<MountOptions> options = ParseCommandLine(words);
  EXPECT_TRUE(options.ok()) << options.status();
  return options.ok() ? *std::move(options) : MountOptions();
}

MountOptions ParsedList(const std::string& list) { return Parsed({"-o", list.c_str(), "/mnt"}); }

absl::Status Refused(const Words& words) { return ParseCommandLine(words).status(); }

absl::Status RefusedList(const std::string& list) { return Refused({"-o", list.c_str(), "/mnt"}); }

TEST(ParseCommandLine, TakesAMountPointAlone) {
  const MountOptions options = Parsed({"/mnt"});
  EXPECT_EQ(options.mountpoint, "/mnt");
  EXPECT_FALSE(options.foreground || options.show_help || options.show_version);
  EXPECT_EQ(options.nr_devices, 1U);
  EXPECT_EQ(options.device, Settings());
  EXPECT_THAT(options.mount_flags, IsEmpty());
  EXPECT_THAT(options.given, IsEmpty());
}

TEST(ParseCommandLine, TakesFlagsInEveryForm) {
  for (const Words& words :
       {Words{"-f", "-o", "size=8", "m"}, Words{"-fosize=8", "m"}, Words{"m", "-fo", "size=8"},
        Words{"-osize=8", "m", "-f"}, Words{"-o", "size=8", "-f", "--", "m"}}) {
    const MountOptions options = Parsed(words);
    EXPECT_TRUE(options.foreground);
    EXPECT_EQ(options.mountpoint, "m");
    EXPECT_EQ(options.device.config.size, 8U);
  }
  EXPECT_EQ(Parsed({"--", "-o"}).mountpoint, "-o");
  EXPECT_EQ(Parsed({"-"}).mountpoint, "-");
}

TEST(ParseCommandLine, AsksForHelpAndVersionWithoutAMountPoint) {
  for (const char* word : {"-h", "--help", "-fh"}) {
    EXPECT_TRUE(Parsed({word}).show_help) << word;
    EXPECT_TRUE(Parsed({word, "--nonsense"}).show_help) << word;
  }
  for (const char* word : {"-V", "--version"}) EXPECT_TRUE(Parsed({word}).show_version) << word;
}

TEST(ParseCommandLine, TakesEveryAttributeByItsName) {
  const Settings expected{.config = {.power = true,
                                     .blocksize = 512,
                                     .size = 1536,
                                     .rotational = true,
                                     .irqmode = IrqMode::kTimer,
                                     .completion_nsec = 5,
                                     .memory_backed = true}};
  const MountOptions options = ParsedList(
      "power,blocksize=0x200,size=1536M,rotational=on,irqmode=2,completion_nsec=5,memory_backed=1");
  EXPECT_EQ(options.device, expected);
}

TEST(ParseCommandLine, TakesTheModuleParametersNames) {
  EXPECT_EQ(ParsedList("gb=4").device.config.size, 4096U);
  EXPECT_EQ(ParsedList("gb=0").device.config.size, 0U);
  EXPECT_EQ(ParsedList("gb=18014398509481983").device.config.size, 18446744073709550592U);
  EXPECT_EQ(ParsedList("bs=512").device.config.blocksize, 512U);
  EXPECT_EQ(ParsedList("nr_devices=0").nr_devices, 0U);
  EXPECT_EQ(ParsedList("nr_devices=4096").nr_devices, 4096U);
}

TEST(ParseCommandLine, TakesFaultRulesWithTheirCommas) {
  const MountOptions options = ParsedList(
      "fault=slow:read,2048-4095,delay=50ms,size=8,fault=discard,hang,discard,faults=x:all error "
      "EIO,ro,fault=off,write,error,EROFS");
  EXPECT_EQ(ShowAttribute(*FindAttribute("faults"), options.device),
            "rule1: discard hang\nrule2: off write error EROFS\nslow: read 2048-4095 delay 50ms\n"
            "x: all error EIO\n");
  EXPECT_EQ(options.device.config.size, 8U);
  EXPECT_TRUE(options.device.config.discard);
  EXPECT_THAT(options.mount_flags, ElementsAre("ro"));
  EXPECT_THAT(RefusedList("fault=x:raed,hang"), EinvalWith("fault: x: raed: a rule has no such"));
  EXPECT_THAT(RefusedList("fault"), EinvalWith("fault: no value is given"));
}

TEST(ParseCommandLine, TakesATransport) {
  EXPECT_EQ(Parsed({"/mnt"}).transport, Transport::kAuto);
  EXPECT_EQ(ParsedList("transport=dev").transport, Transport::kDev);
  EXPECT_EQ(ParsedList("guard=off,transport=uring").transport, Transport::kUring);
  EXPECT_EQ(ParsedList("transport=uring,transport=auto").transport, Transport::kAuto);
}

TEST(ParseCommandLine, HasAGuardUnlessToldOtherwise) {
  EXPECT_TRUE(Parsed({"/mnt"}).guard);
  EXPECT_TRUE(ParsedList("guard=off,guard=on").guard);
  EXPECT_FALSE(ParsedList("guard=off").guard);
  EXPECT_THAT(RefusedList("guard=maybe"),
              Einval("guard: maybe is not accepted; it takes on or off"));
  EXPECT_THAT(RefusedList("transport=uring"),
              Einval("-o transport=uring: a ring ends with the process that made it, and the guard "
                     "could save nothing; add guard=off, or leave transport as it is"));
}

TEST(ParseCommandLine, TakesASourceAsMountDoes) {
  const MountOptions options = Parsed({"disks", "/mnt", "-o", "ro"});
  EXPECT_EQ(options.mountpoint, "/mnt");
  EXPECT_EQ(options.source, "disks");
  EXPECT_THAT(options.mount_flags, testing::ElementsAre("ro"));
}

TEST(ParseCommandLine, TakesWhatIsNoMount) {
  EXPECT_TRUE(Parsed({"--upgrade", "/mnt"}).upgrade);
  const MountOptions rescue = Parsed({"--rescue", "42", "/tmp"});
  EXPECT_EQ(rescue.rescue_pid, 42);
  EXPECT_EQ(rescue.mountpoint, "/tmp");
  EXPECT_FALSE(rescue.snapshots);
  EXPECT_TRUE(Parsed({"--rescue", "42", "/tmp", "--snapshots"}).snapshots);
  EXPECT_TRUE(Parsed({"--rescue", "--snapshots", "42", "/tmp"}).snapshots);
  EXPECT_FALSE(ParseCommandLine({"--snapshots", "/tmp"}).ok());
  EXPECT_FALSE(ParseCommandLine({"--rescue", "0", "/tmp"}).ok());
  EXPECT_FALSE(ParseCommandLine({"--rescue"}).ok());
}

TEST(ParseCommandLine, TakesAMemoryLimit) {
  EXPECT_FALSE(Parsed({"/mnt"}).memory_limit.has_value());
  EXPECT_EQ(ParsedList("memory_limit=none").memory_limit, UINT64_MAX);
  EXPECT_EQ(ParsedList("memory_limit=3").memory_limit, uint64_t{3} << 20);
  EXPECT_EQ(ParsedList("memory_limit=2G").memory_limit, uint64_t{2} << 30);
  EXPECT_EQ(ParsedList("memory_limit=0").memory_limit, 0U);
}

TEST(ParseCommandLine, TakesHugePages) {
  EXPECT_EQ(Parsed({"/mnt"}).huge, HugePages::kAdvise);
  EXPECT_EQ(ParsedList("huge=never").huge, HugePages::kNever);
  EXPECT_EQ(ParsedList("huge=advise").huge, HugePages::kAdvise);
  EXPECT_EQ(ParsedList("huge=always").huge, HugePages::kAlways);
}

TEST(ParseCommandLine, LetsLaterOptionsWin) {
  const MountOptions options =
      Parsed({"-o", "size=8G,,gb=1", "m", "-osize=7", "-o", "power,power=0"});
  EXPECT_EQ(options.device.config.size, 7U);
  EXPECT_FALSE(options.device.config.power);
  EXPECT_THAT(options.given, ElementsAre("size=8G", "gb=1", "size=7", "power", "power=0"));
}

// With what mount(8) adds from /proc/mounts, which no mount is made with.
TEST(ParseCommandLine, ARemountTellsFlagsFromSettings) {
  const MountOptions options =
      ParsedList("remount,ro,lazytime,gb=8,user_id=0,fsname=a,default_permissions");
  EXPECT_TRUE(options.remount);
  EXPECT_THAT(options.settings, ElementsAre("gb=8", "fsname=a"));
  const char* const arguments[] = {"-o", "user_id=0", "/mnt"};
  EXPECT_FALSE(ParseCommandLine(arguments).ok());
}

TEST(ParseCommandLine, HandsFlagsOfTheMountOn) {
  const MountOptions options = ParsedList("ro,size=8,nosuid,fsname=a=b,rw");
  EXPECT_THAT(options.mount_flags, ElementsAre("ro", "nosuid", "fsname=a=b", "rw"));
  for (const std::string_view flag : MountFlags()) {
    EXPECT_THAT(ParsedList(std::string(flag)).mount_flags, ElementsAre(flag));
  }
}

TEST(ParseCommandLine, PassesOverWhatIsForOthers) {
  const MountOptions options = ParsedList(
      "defaults,auto,noauto,user,nouser,users,owner,group,nofail,_netdev,x-systemd.automount,"
      "x-a=b,allow_other,default_permissions,relatime");
  EXPECT_THAT(options.mount_flags, IsEmpty());
  EXPECT_EQ(options.device, Settings());
  EXPECT_EQ(options.given.size(), 15U);
}

TEST(ParseCommandLine, RefusesOptionsWithASentence) {
  const std::pair<const char*, const char*> cases[] = {
      {"blocksize=513",
       "blocksize: 513 is not accepted; it takes a power of two from 512 to 4096 (bytes), or one "
       "with the suffix K"},
      {"bs=513",
       "bs: 513 is not accepted; it takes a power of two from 512 to 4096 (bytes), or one with "
       "the suffix K"},
      {"size=1.5G",
       "size: 1.5G is not accepted; it takes a whole number (MiB), or one with the suffix K, M, G "
       "or T"},
      {"size",
       "size: no value is given; it takes a whole number (MiB), or one with the suffix K, M, G or "
       "T"},
      {"gb", "gb: no value is given; it takes a whole number (in units of 1024 MiB)"},
      {"gb=4G", "gb: 4G is not accepted; it takes a whole number (in units of 1024 MiB)"},
      {"gb=18014398509481984",
       "gb: 18014398509481984 is not accepted; it takes a whole number (in units of 1024 MiB)"},
      {"power=", "power: \"\" is not accepted; it takes 1 or 0, also y/n, t/f, on/off"},
      {"nr_devices=4097", "nr_devices: 4097 is not accepted; it takes 0 to 4096"},
      {"nr_devices=-1", "nr_devices: -1 is not accepted; it takes 0 to 4096"},
      {"nr_devices", "nr_devices: no value is given; it takes 0 to 4096"},
      {"transport=ring", "transport: ring is not accepted; it takes auto, dev or uring"},
      {"transport", "transport: no value is given; it takes auto, dev or uring"},
      {"fsname", "fsname: no value is given; it takes a name"},
      {"fsname=a\x1b[m", "fsname: \"a\\x1b[m\" is not accepted; it takes a name"},
      {"blocksze=512",
       "-o blocksze=512: there is no such option. Did you mean blocksize? rnullfs --help lists "
       "them"},
      {"ro=1", "-o ro=1: there is no such option. Did you mean ro? rnullfs --help lists them"},
      {"size=8,nonsense", "-o nonsense: there is no such option. rnullfs --help lists them"},
      {"subtype=x", "-o subtype=x: there is no such option. rnullfs --help lists them"},
      {"=5", "-o =5: there is no such option. rnullfs --help lists them"},
  };
  for (const auto& [list, sentence] : cases) {
    EXPECT_THAT(RefusedList(list), Einval(std::string(sentence))) << list;
  }
}

TEST(ParseCommandLine, SaysTheSameAsTheAttribute) {
  for (const Attribute& row : Attributes()) {
    if (row.read_only) continue;
    Settings settings;
    EXPECT_EQ(RefusedList(std::string(row.name) + "=2x"), StoreAttribute(row, "2x", settings));
  }
}

TEST(ParseCommandLine, RefusesWordsWithAHintAtTheUsage) {
  const std::string usage =
      "; usage: rnullfs [-f] [-o option,...] [source] mountpoint (rnullfs --help says more)";
  const std::pair<Words, std::string> cases[] = {
      {{}, "no mount point is given"},
      {{"-f"}, "no mount point is given"},
      {{"--"}, "no mount point is given"},
      {{""}, "the mount point is empty"},
      {{"a", "b", "c"}, "more than one mount point: b and c"},
      {{"--upgrade", "a", "b"}, "more than one mount point: a and b"},
      {{"--rescue", "7"}, "--rescue: no directory is given"},
      {{"m", "-o"}, "-o: no options follow"},
      {{"-x", "m"}, "-x: there is no such flag"},
      {{"-fx", "m"}, "-x: there is no such flag"},
      {{"--foreground", "m"}, "--foreground: there is no such flag"},
  };
  for (const auto& [words, sentence] : cases) {
    EXPECT_THAT(Refused(words), Einval(sentence + usage));
  }
}

Settings DeviceOf(const std::string& list) { return ParsedList(list).device; }

TEST(ParseCommandLine, TakesAModulesParameters) {
  EXPECT_EQ(DeviceOf("gb=1 bs=512\nmemory_backed=Y\tirqmode=2 completion_nsec=5000\n"),
            DeviceOf("gb=1,bs=512,memory_backed,irqmode=2,completion_nsec=5000"));
  Settings expected;
  expected.config.timeout_inject = {.probability = 100, .interval = 2};
  expected.state.timeout_inject = {.times = -1, .space = 3};
  expected.config.size = 2048;
  for (const char* list :
       {"timeout=2,100,3,-1 gb=2", "gb=2,timeout=2,100,3,-1", "timeout=\"2,100,3,-1\",gb=2",
        "requeue= init_hctx=(null) zone_size=256 timeout=2,100,3,-1 gb=2"}) {
    EXPECT_EQ(DeviceOf(list), expected) << list;
  }
  const std::string accepts = " is not accepted; it takes INTERVAL,PROBABILITY,SPACE,TIMES";
  EXPECT_THAT(RefusedList("timeout=1,100"), Einval("timeout: \"1,100\"" + accepts));
  EXPECT_THAT(RefusedList("requeue=1,2,3,4,5"), Einval("requeue: \"1,2,3,4,5\"" + accepts));
  EXPECT_THAT(RefusedList("requeue=1,101,0,0"), EinvalWith("requeue_inject/probability: 101"));
  EXPECT_THAT(RefusedList("index=3"), EinvalWith("index: is given at power-on"));
}

TEST(ParseCommandLine, TakesWhatHasParts) {
  const Settings given = DeviceOf(
      "mbps=100:50,iops=7,badblocks=+8-15,badblocks=+100-100,cache_size_mib=2,"
      "home_node=-1,requeue_inject/probability=5");
  EXPECT_EQ(given.config.mbps, (RateLimit{.read = 100, .write = 50}));
  EXPECT_EQ(given.config.iops, (RateLimit{.both = 7}));
  EXPECT_EQ(given.state.badblocks.Show(), "8 8\n100 1\n");
  EXPECT_EQ(given.config.cache_size, 2U);
  EXPECT_EQ(given.config.requeue_inject.probability, 5);
}

TEST(HelpText, NamesEveryOptionWithItsDefaultInEightyColumns) {
  const std::string help = HelpText();
  for (const Attribute& row : Attributes()) {
    if (row.read_only || !DirectoryOf(row).empty()) continue;
    EXPECT_THAT(help, HasSubstr("  " + std::string(row.name) + "=VALUE"));
    const std::string value = ValueText(row, Settings());
    const std::string shown = value.empty() ? "none" : value;
    // Line breaks may fall anywhere within the entry.
    EXPECT_THAT(help, testing::ContainsRegex("default[ \n]+" + shown)) << row.name;
  }
  for (const std::string_view flag : MountFlags()) EXPECT_THAT(help, HasSubstr(std::string(flag)));
  EXPECT_THAT(help, HasSubstr("nr_devices="));
  for (const absl::string_view line : absl::StrSplit(help, '\n'))
    EXPECT_LE(line.size(), 80U) << line;
}

}  // namespace
}  // namespace rnullfs
