#include "ctl/progress_line.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

namespace rnullfs {
namespace {

void Show(const CrashSearch::Progress& progress) {
  constexpr size_t kWidth = 30;
  const size_t filled = progress.done * kWidth / std::max<size_t>(progress.stretches, 1);
  std::fprintf(stderr, "\r[%s%s] %zu of %zu stretches, %llu runs, %llu failed\033[K",
               std::string(filled, '#').c_str(), std::string(kWidth - filled, '.').c_str(),
               progress.done, progress.stretches, static_cast<unsigned long long>(progress.runs),
               static_cast<unsigned long long>(progress.failed));
}

}  // namespace

ProgressLine::ProgressLine(const CrashSearch& search) {
  if (isatty(STDERR_FILENO) == 0) return;
  thread_ = std::thread([this, &search] {
    const LockGuard lock(mutex_);
    while (!ended_) {
      Show(search.progress());
      ended_changed_.wait_for(mutex_, std::chrono::milliseconds(200));
    }
  });
}

ProgressLine::~ProgressLine() {
  if (!thread_.joinable()) return;
  {
    const LockGuard lock(mutex_);
    ended_ = true;
  }
  ended_changed_.notify_all();
  thread_.join();
  std::fprintf(stderr, "\r\033[K");
}

}  // namespace rnullfs
