// The user's commands: how they are started, what is seen of them, and how they are ended.

#include "ctl/command.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "crash_tree.h"
#include "ctl/interrupt.h"
#include "from_environment.h"

namespace rnullfs {
namespace {

constexpr int64_t kLong = 60'000'000'000;
constexpr int64_t kShort = 50'000'000;

CommandResult Ran(const std::string& text, const Command::Places& places = {},
                  int64_t timeout_nsec = kLong) {
  return Command(text).Run(places, timeout_nsec);
}

// A script in a directory of its own; `first` is its first line.
std::string Script(const CrashTree& tree, const std::string& name, const std::string& text,
                   const std::string& first = "#!/bin/sh\n") {
  std::string path = tree.Write(name, first + text);
  chmod(path.c_str(), 0755);
  return path;
}

// --- Words ---------------------------------------------------------------------------------------

// Where a word that comes through otherwise does no harm.
class Quoting : public testing::Test {
 protected:
  Quoting() { std::filesystem::current_path(tree_.path()); }
  ~Quoting() override { std::filesystem::current_path(before_); }

 private:
  const std::filesystem::path before_ = std::filesystem::current_path();
  const CrashTree tree_;
};

TEST_F(Quoting, LeavesPlainWordsAsTheyAre) {
  for (const char* word : {"/mnt/d/disk", "a=b", "-f", "x:1,2", "a+b@c%d^e", "_.."}) {
    EXPECT_EQ(ShellQuoted(word), word);
  }
  EXPECT_EQ(ShellQuoted(""), "''");
  EXPECT_EQ(ShellQuoted("a b"), "'a b'");
  EXPECT_EQ(ShellQuoted("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellQuoted("{}"), "'{}'");
}

TEST_F(Quoting, ComesThroughTheShellAsItIs) {
  for (int c = 1; c < 256; ++c) {
    for (const std::string& word : {std::string(1, static_cast<char>(c)),
                                    absl::StrCat("a", std::string(2, static_cast<char>(c)), "b")}) {
      EXPECT_EQ(Ran("printf '%s|' {} {}", {{"{}", word}}).output,
                absl::StrCat(word, "|", word, "|"))
          << c;
    }
  }
}

TEST_F(Quoting, ComesThroughWhateverIsInIt) {
  std::mt19937_64 random(FromEnvironment("RNULLFS_TEST_SEED", 1));
  const std::string letters = "'\"\\ $`{}\n\tab*?[]~!#&;|<>()=-\xc3\xa4";
  for (uint64_t i = 0; i < Repetitions(200); ++i) {
    std::string word;
    for (uint64_t left = random() % 12; left > 0; --left)
      word += letters[random() % letters.size()];
    // Direct, where the word is plain, and by the shell.
    EXPECT_EQ(Ran("printf %s. {}", {{"{}", word}}).output, word + ".") << word;
    EXPECT_EQ(Ran(absl::StrCat("sh -c ", ShellQuoted("printf %s. " + ShellQuoted(word)))).output,
              word + ".");
  }
}

TEST(Command, PlacesAreReplacedOnce) {
  const Command command("check {} --acked {acked} {} {other}");
  EXPECT_EQ(command.With({{"{}", "/d/{acked}"}, {"{acked}", "{}"}}),
            "check '/d/{acked}' --acked '{}' '/d/{acked}' {other}");
  EXPECT_EQ(command.text(), "check {} --acked {acked} {} {other}");
  EXPECT_FALSE(command.empty());
  EXPECT_TRUE(Command().empty());
}

TEST(Command, APlaceMayHaveAnythingInItsName) {
  const CrashTree tree;
  for (const char* name : {"plain", "two words", "it's", "\"$HOME\"", "a;b", "-n", " *", "{}"}) {
    const std::string path = tree.Write(absl::StrCat(name, "/disk"), absl::StrCat("in ", name));
    EXPECT_EQ(Ran("cat {}", {{"{}", path}}).output, absl::StrCat("in ", name));
    EXPECT_EQ(Ran("cat <{} | tr i I", {{"{}", path}}).output.substr(0, 2), "In");
  }
}

// --- Direct, or by the shell ---------------------------------------------------------------------

// Another `sh` is found first, and says what it was told.
TEST(Command, WhatIsNothingButWordsIsStartedDirectly) {
  const CrashTree tree;
  Script(tree, "sh", "printf 'shell:%s' \"$2\"\n");
  const std::string path = std::getenv("PATH");
  setenv("PATH", absl::StrCat(tree.path(), ":", path).c_str(), 1);
  for (const char* line : {"echo a b", "  echo   a   b  ", "echo -n=1 x:y,z /a/./b+c@d%e^f"}) {
    EXPECT_EQ(Ran(line).output.find("shell:"), std::string::npos) << line;
  }
  EXPECT_EQ(Ran("  echo   a   b  ").output, "a b\n");
  for (const char* line : {"echo 'a'",
                           "echo \"a\"",
                           "echo $a",
                           "echo a; echo b",
                           "echo a | cat",
                           "echo a > /dev/null",
                           "echo a &",
                           "a=b echo",
                           "a=b",
                           "echo *",
                           "echo ?",
                           "echo ~",
                           "echo {a}",
                           "echo a\necho b",
                           "echo\ta",
                           "echo #",
                           "echo [a]",
                           "echo \\a",
                           "! true",
                           "cd /",
                           "exit 3",
                           "if",
                           "test a = b",
                           ". x",
                           ": x",
                           "",
                           " "}) {
    EXPECT_EQ(Ran(line).output, absl::StrCat("shell:", line));
  }
  EXPECT_EQ(Ran("echo {}", {{"{}", "a b"}}).output, "shell:echo 'a b'");
  setenv("PATH", path.c_str(), 1);
}

// --- What is seen --------------------------------------------------------------------------------

TEST(Command, ItsStatusIsWhatTheShellHas) {
  const CrashTree tree;
  const std::string dies = Script(tree, "dies", "kill -9 $$\n");
  const std::string plain = tree.Write("plain", "#!/bin/sh\n");
  EXPECT_EQ(Ran("true").status, 0);
  EXPECT_EQ(Ran("false").status, 1);
  EXPECT_EQ(Ran("").status, 0);
  for (const int status : {0, 1, 3, 4, 125, 126, 127, 128, 200, 255}) {
    EXPECT_EQ(Ran(absl::StrCat("exit ", status)).status, status);
    EXPECT_EQ(Ran(absl::StrCat("sh -c 'exit ", status, "'")).status, status);
  }
  for (const int number : {SIGTERM, SIGSEGV, SIGKILL, SIGABRT}) {
    EXPECT_EQ(Ran(absl::StrCat("kill -", number, " $$")).status, 128 + number);
  }
  EXPECT_EQ(Ran("{}", {{"{}", dies}}).status, 137);
  EXPECT_EQ(Ran("{} 'x'", {{"{}", dies}}).status, 137);
  // There is none, and one that is none: directly, and by the shell.
  for (const char* more : {"", " 'x'"}) {
    EXPECT_EQ(Ran(absl::StrCat("rnullfs-no-such-program", more)).status, 127);
    EXPECT_EQ(Ran(absl::StrCat(tree.path(), "/nothing", more)).status, 127);
    EXPECT_EQ(Ran(absl::StrCat(plain, more)).status, 126);
    EXPECT_EQ(Ran(absl::StrCat(tree.path(), more)).status, 126) << "a directory";
  }
}

TEST(Command, ItsOutputIsWhatItSaysInBothWays) {
  const CommandResult result = Ran("echo one; echo two >&2; echo three; exit 4");
  EXPECT_EQ(result.status, 4);
  EXPECT_EQ(result.output, "one\ntwo\nthree\n");
  EXPECT_FALSE(result.timed_out);
  EXPECT_FALSE(result.interrupted);
  EXPECT_EQ(Ran("true").output, "");
  EXPECT_EQ(Ran("ls /rnullfs/no/such/file").output.empty(), false) << "directly, too";
  EXPECT_EQ(Ran("printf 'a\\0b'").output, std::string("a\0b", 3));
}

TEST(Command, OfMuchOutputItIsTheEnd) {
  std::string all;
  for (int i = 1; i <= 50000; ++i) absl::StrAppend(&all, i, "\n");
  EXPECT_EQ(Ran("seq 50000").output, all.substr(all.size() - 65536));
  EXPECT_EQ(Ran("head -c 65536 /dev/zero").output, std::string(65536, '\0'));
  EXPECT_EQ(Ran("seq 10000").output, all.substr(0, all.find("10001\n")));
}

TEST(Command, ItHasNothingToRead) {
  EXPECT_EQ(Ran("readlink /proc/self/fd/0").output, "/dev/null\n");
  EXPECT_EQ(Ran("cat").output, "");
  EXPECT_EQ(Ran("cat; echo 'end'").output, "end\n");
}

TEST(Command, ItHasAProcessGroupOfItsOwn) {
  // 17 (cat) R 1 17 ...: its number, its parent, its group.
  for (const char* line : {"cat /proc/self/stat", "exec cat '/proc/self/stat'"}) {
    const std::vector<std::string> fields = absl::StrSplit(Ran(line).output, ' ');
    ASSERT_GT(fields.size(), 4U);
    EXPECT_EQ(fields[3], std::to_string(getpid()));
    EXPECT_EQ(fields[4], fields[0]);
  }
}

// --- Its end -------------------------------------------------------------------------------------

TEST(Command, WhatTakesTooLongIsEnded) {
  for (const char* line : {"sleep 1000", "echo 'before'; sleep 1000", "trap '' TERM; sleep 1000"}) {
    const CommandResult result = Ran(line, {}, kShort);
    EXPECT_TRUE(result.timed_out) << line;
    EXPECT_FALSE(result.interrupted);
    EXPECT_EQ(result.status, 128 + SIGKILL);
  }
  // Long enough for the shell to come to it.
  EXPECT_EQ(Ran("echo 'before'; sleep 1000", {}, 20 * kShort).output, "before\n");
}

// Who has the pipe's other end is still there.
TEST(Command, AllThatItHasStartedIsEndedWithIt) {
  for (const char* line : {"sleep 1000 & wait", "(sleep 1000; echo) | (sleep 1000; cat)",
                           "(sleep 1000 & sleep 1000) & sleep 1000", "sh -c 'sleep 1000; true'"}) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    EXPECT_TRUE(Ran(line, {}, 4 * kShort).timed_out) << line;
    close(ends[1]);
    pollfd closed = {.fd = ends[0], .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&closed, 1, 20'000), 1) << line;
    EXPECT_NE(closed.revents & POLLHUP, 0) << line;
    close(ends[0]);
  }
}

TEST(Command, WhatEndsInTimeIsNotEnded) {
  const CommandResult result = Ran("sleep 0.1; echo 'over'");
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.output, "over\n");
}

TEST(Command, CtrlCEndsIt) {
  const auto interrupted = [] {
    Interrupt::Install();
    if (Interrupt::happened()) return 2;
    raise(SIGINT);
    const CommandResult direct = Ran("sleep 1000");
    const CommandResult shell = Ran("sleep 1000; true");
    const bool both = direct.interrupted && shell.interrupted;
    return Interrupt::happened() && both && !direct.timed_out && !shell.timed_out ? 0 : 1;
  };
  EXPECT_EXIT(_exit(interrupted()), testing::ExitedWithCode(0), "");
}

// --- Several -------------------------------------------------------------------------------------

TEST(Command, ManyAtOnceKeepTheirOutputApart) {
  const Command shell("echo 'a'; echo {} >&2; exit {}");
  const Command direct("echo {}");
  std::vector<std::thread> threads;
  threads.reserve(9);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const std::string number = std::to_string(i);
      for (uint64_t times = 0; times < Repetitions(40); ++times) {
        const CommandResult result = shell.Run({{"{}", number}}, kLong);
        EXPECT_EQ(result.status, i);
        EXPECT_EQ(result.output, "a\n" + number + "\n");
        EXPECT_EQ(direct.Run({{"{}", number}}, kLong).output, number + "\n");
      }
    });
  }
  threads.emplace_back([] { EXPECT_TRUE(Ran("sleep 1000 & wait", {}, kShort).timed_out); });
  for (std::thread& thread : threads) thread.join();
}

TEST(Command, OneHasOurInputAndOutput) {
  testing::internal::CaptureStdout();
  const CommandResult result = Command("echo {}; exit 5").RunHere({{"{}", "a b"}});
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "a b\n");
  EXPECT_EQ(result.status, 5);
  EXPECT_EQ(result.output, "");
  EXPECT_EQ(Command("rnullfs-no-such-program").RunHere({}).status, 127);
  EXPECT_EQ(Command("kill -9 $$").RunHere({}).status, 137);
}

}  // namespace
}  // namespace rnullfs
