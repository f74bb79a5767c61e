// A raw image as a view.

#include "past/file_view.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "past_util.h"
#include "rnullfs/error.h"

namespace rnullfs {
namespace {

using testing::HasSubstr;

class FileViewTest : public testing::Test {
 protected:
  FileViewTest() {
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
    Write(0, "");
  }
  ~FileViewTest() override {
    unlink(path().c_str());
    rmdir(directory_.c_str());
  }

  std::string path() const { return directory_ + "/image"; }
  void Write(uint64_t offset, std::string_view bytes) {
    const UniqueFd file(open(path().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
  }
  void Resize(uint64_t size) { EXPECT_EQ(truncate(path().c_str(), static_cast<off_t>(size)), 0); }
  static absl::StatusOr<std::unique_ptr<FileView>> Open(const std::string& path) {
    return FileView::Open(path, UniqueFd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)));
  }
  absl::Status Refusal() { return Open(path()).status(); }

  std::string directory_ = testing::TempDir() + "/file_view_XXXXXX";
};

int ReadError(View& view) {
  return view.Read(0, 1, [](absl::Span<const iovec>) {});
}

TEST_F(FileViewTest, ReadsTheFile) {
  Write(4 * kPage, std::string(kPage, 'x'));
  Resize(10 * kPage + 100);
  const auto view = *Open(path());
  EXPECT_EQ(view->size_bytes(), 10 * kPage + 100);
  EXPECT_EQ(Read(*view, 4 * kPage - 1, 3), std::string("\0xx", 3));
  EXPECT_EQ(Read(*view, 10 * kPage + 99, 1), std::string(1, '\0'));
  EXPECT_EQ(Read(*view, 0, 0), "");
  EXPECT_FALSE(view->changed());
}

TEST_F(FileViewTest, ShowsItsHoles) {
  Write(4 * kPage, std::string(kPage, 'x'));
  Resize(10 * kPage);
  const auto view = *Open(path());
  EXPECT_EQ(view->NextData(0), 4 * kPage);
  EXPECT_EQ(view->NextHole(0), 0);
  EXPECT_EQ(view->NextHole(4 * kPage), 5 * kPage);
  EXPECT_EQ(view->NextData(5 * kPage), 10 * kPage);
  EXPECT_EQ(view->NextData(10 * kPage), 10 * kPage);
  EXPECT_EQ(view->NextHole(11 * kPage), 10 * kPage);
}

TEST_F(FileViewTest, AFileThatHasChangedIsEio) {
  Write(0, std::string(2 * kPage, 'x'));
  const struct timespec old[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, path().c_str(), old, 0), 0);
  {
    const auto view = *Open(path());
    EXPECT_EQ(ReadError(*view), 0);
    Write(0, "y");
    EXPECT_EQ(ReadError(*view), EIO);
    EXPECT_TRUE(view->changed());
  }
  for (const uint64_t size : {kPage, 3 * kPage}) {
    const auto view = *Open(path());
    Resize(size);
    ASSERT_EQ(futimens(view->fd(), nullptr), 0);
    EXPECT_EQ(ReadError(*view), EIO) << size;
    // Else who skips holes would take what cannot be read for zeros.
    EXPECT_EQ(view->NextData(0), 0U);
    EXPECT_EQ(view->NextHole(0), view->size_bytes());
  }
}

// The identity is what another process remembers.
TEST_F(FileViewTest, IsKnownAgain) {
  Write(0, "abc");
  const auto view = *Open(path());
  FileView same(UniqueFd(dup(view->fd())), view->identity());
  EXPECT_EQ(Read(same, 1, 2), "bc");
  FileIdentity other = view->identity();
  ++other.modified.tv_nsec;
  FileView changed(UniqueFd(dup(view->fd())), other);
  EXPECT_EQ(ReadError(changed), EIO);
}

TEST_F(FileViewTest, RefusesImagesThatAreNotRaw) {
  for (const char* const magic : {"QFI\xfb", "KDMV", "vhdxfile", "conectix"}) {
    Write(0, magic);
    EXPECT_EQ(ErrnoOf(Refusal()), EINVAL) << magic;
    EXPECT_THAT(std::string(Refusal().message()), HasSubstr("qemu-img convert -O raw")) << magic;
  }
  Write(0, "QFI\xfb");
  EXPECT_THAT(std::string(Refusal().message()), HasSubstr("is a qcow2 image"));
  Resize(0);
  EXPECT_THAT(std::string(Refusal().message()), HasSubstr("is empty"));
}

TEST_F(FileViewTest, RefusesWhatIsNoFile) {
  EXPECT_EQ(ErrnoOf(Open(directory_).status()), EINVAL);
  unlink(path().c_str());
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_EQ(ErrnoOf(Refusal()), EINVAL);
  EXPECT_THAT(std::string(Refusal().message()), HasSubstr("neither a file nor a block device"));
  EXPECT_EQ(ErrnoOf(Open("/dev/null").status()), EINVAL);
}

}  // namespace
}  // namespace rnullfs
