#include "ctl/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "ctl/interrupt.h"
#include "rnullfs/clock.h"
#include "rnullfs/error.h"
#include "rnullfs/unique_fd.h"

namespace rnullfs {
namespace {

constexpr size_t kOutputMax = 65536;
constexpr std::string_view kPlain =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:,+@%^";

bool IsPlain(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [more](char c) {
    return kPlain.find(c) != std::string_view::npos || more.find(c) != std::string_view::npos;
  });
}

// The first word could be one that only the shell has, or an assignment.
std::vector<std::string> WordsOf(const std::string& line) {
  constexpr std::string_view kOfTheShell[] = {"!",    "case", "cd",    "command", "eval", "exec",
                                              "exit", "for",  "if",    "set",     "test", "time",
                                              "type", "trap", "until", "while",   ".",    ":"};
  std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  const bool ours = !words.empty() && IsPlain(line, " =") && IsPlain(words.front(), "") &&
                    std::find(std::begin(kOfTheShell), std::end(kOfTheShell), words.front()) ==
                        std::end(kOfTheShell);
  if (!ours) words = {"sh", "-c", line};
  return words;
}

// What a command says, of which the end is kept.
class Output {
 public:
  Output() {
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    ours_ = UniqueFd(ends[0]);
    theirs_ = UniqueFd(ends[1]);
    fcntl(ours_.get(), F_SETFL, O_NONBLOCK);
  }
  bool works() const { return ours_.valid(); }
  int ours() const { return ours_.get(); }
  int theirs() const { return theirs_.get(); }
  void GiveAway() { theirs_.Reset(); }

  // What has arrived until now, or a part where it does not end; false at the end of it.
  bool Take() {
    char piece[65536];
    ssize_t got = 0;
    for (int i = 0; i < kPiecesMax && (got = read(ours_.get(), piece, sizeof piece)) > 0; ++i) {
      text_.append(piece, static_cast<size_t>(got));
      if (text_.size() > 4 * kOutputMax) text_.erase(0, text_.size() - kOutputMax);
    }
    return got > 0 || (got < 0 && errno == EAGAIN);
  }
  std::string Text() const {
    return text_.substr(text_.size() - std::min(text_.size(), kOutputMax));
  }

 private:
  static constexpr int kPiecesMax = 64;
  UniqueFd ours_;
  UniqueFd theirs_;
  std::string text_;
};

class Spawned {
 public:
  // `output` -1: ours.
  Spawned(const std::string& line, int output) {
    error_ = Start(WordsOf(line), output);
    // As a shell does with a script that does not say what is to run it.
    if (error_ == ENOEXEC) error_ = Start({"sh", "-c", line}, output);
  }

  int error() const { return error_; }
  void Signal(int signal) const { kill(-pid_, signal); }

  void End() const { kill(pid_, SIGTERM); }

  enum class Waited : uint8_t { kEnded, kTooLong, kInterrupted };
  // Takes what it says meanwhile.  `interrupt` -1: none.
  Waited Wait(int64_t deadline_nsec, int interrupt, Output* output) const {
    const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    if (!process.valid()) return Waited::kInterrupted;  // no descriptor left
    pollfd waits[] = {
        {.fd = process.get(), .events = POLLIN, .revents = 0},
        {.fd = interrupt, .events = POLLIN, .revents = 0},
        {.fd = output == nullptr ? -1 : output->ours(), .events = POLLIN, .revents = 0}};
    while (true) {
      const int64_t left_ms = (deadline_nsec - Clock::Real().NowNsec()) / 1'000'000 + 1;
      const int ready = poll(waits, 3, static_cast<int>(std::clamp<int64_t>(left_ms, 0, 1 << 30)));
      if (output != nullptr && waits[2].revents != 0 && !output->Take()) waits[2].fd = -1;
      if (waits[0].revents != 0) return Waited::kEnded;
      if (ready > 0 && waits[1].revents != 0) return Waited::kInterrupted;
      if (Clock::Real().NowNsec() >= deadline_nsec) return Waited::kTooLong;
    }
  }

  // What is left of its group goes with it: its number is ours as long as nobody has asked.
  int Status() const {
    siginfo_t ended;
    while (waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOWAIT) < 0 &&
           errno == EINTR) {
    }
    if (own_group_) Signal(SIGKILL);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  int Start(std::vector<std::string> words, int output) {
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigset_t ignored_by_us;
    sigemptyset(&ignored_by_us);
    sigaddset(&ignored_by_us, SIGPIPE);
    sigaddset(&ignored_by_us, SIGXFSZ);
    posix_spawnattr_setsigdefault(&attributes, &ignored_by_us);
    own_group_ = output >= 0;
    if (own_group_) {
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
      posix_spawn_file_actions_adddup2(&actions, output, 1);
      posix_spawn_file_actions_adddup2(&actions, output, 2);
      posix_spawnattr_setpgroup(&attributes, 0);
    }
    posix_spawnattr_setflags(
        &attributes,
        static_cast<short>(POSIX_SPAWN_SETSIGDEF | (own_group_ ? POSIX_SPAWN_SETPGROUP : 0)));
    const int error =
        posix_spawnp(&pid_, arguments[0], &actions, &attributes, arguments.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
  }

  pid_t pid_ = -1;
  bool own_group_ = false;
  int error_ = 0;
};

CommandResult NotStarted(int error) {
  return {.status = error == ENOENT ? 127 : 126, .output = std::string(std::strerror(error))};
}

}  // namespace

std::string ShellQuoted(std::string_view word) {
  if (!word.empty() && IsPlain(word, "=")) return std::string(word);
  return "'" + absl::StrReplaceAll(std::string(word), {{"'", "'\\''"}}) + "'";
}

// What has been put in is not looked at again.
std::string Command::With(const Places& places) const {
  Places quoted;
  for (const auto& [place, value] : places) quoted.emplace_back(place, ShellQuoted(value));
  return absl::StrReplaceAll(text_, quoted);
}

CommandResult Command::Run(const Places& places, int64_t timeout_nsec, bool heedless) const {
  Output output;
  if (!output.works()) return NotStarted(errno);
  const Spawned spawned(With(places), output.theirs());
  if (spawned.error() != 0) return NotStarted(spawned.error());
  output.GiveAway();
  const Spawned::Waited waited = spawned.Wait(Clock::Real().NowNsec() + timeout_nsec,
                                              heedless ? -1 : Interrupt::fd(), &output);
  if (waited != Spawned::Waited::kEnded) spawned.Signal(SIGKILL);
  const int status = spawned.Status();
  output.Take();
  return {.status = status,
          .timed_out = waited == Spawned::Waited::kTooLong,
          .interrupted = waited == Spawned::Waited::kInterrupted,
          .output = output.Text()};
}

// In our group: a terminal's ctrl-C reaches it, too, and what only we have heard it is told.
CommandResult Command::RunHere(const Places& places) const {
  const Spawned spawned(With(places), -1);
  if (spawned.error() != 0) return NotStarted(spawned.error());
  const bool interrupted =
      spawned.Wait(INT64_MAX, Interrupt::fd(), nullptr) == Spawned::Waited::kInterrupted;
  if (interrupted) spawned.End();
  return {.status = spawned.Status(), .interrupted = interrupted};
}

absl::StatusOr<std::string> DoLine(const Command& command, bool heedless) {
  constexpr int64_t kTimeoutNsec = 600'000'000'000;
  const CommandResult result = command.Run({}, kTimeoutNsec, heedless);
  if (result.interrupted) return Error(ECANCELED, "interrupted");
  if (result.status == 0) return std::string(absl::StripAsciiWhitespace(result.output));
  return Error(EIO,
               absl::StrCat(command.text(), ": exit status ", result.status, "\n", result.output));
}

}  // namespace rnullfs
