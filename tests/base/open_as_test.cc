// Opening with another process's rights: as root, with a process of nobody's that waits.

#include "base/open_as.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "rnullfs/error.h"

namespace rnullfs {
namespace {

constexpr uid_t kUid = 65534;
constexpr gid_t kGid = 65534;
constexpr gid_t kOtherGroup = 4321;

// Waits, as a program that has asked for something does.
class Asker {
 public:
  explicit Asker(const std::vector<gid_t>& groups = {}, const char* root = nullptr) {
    int ready[2] = {};
    EXPECT_EQ(pipe(ready), 0);
    pid_ = fork();
    if (pid_ == 0) {
      const bool is_he = (root == nullptr || (chroot(root) == 0 && chdir("/") == 0)) &&
                         setgroups(groups.size(), groups.data()) == 0 &&
                         setresgid(kGid, kGid, kGid) == 0 && setresuid(kUid, kUid, kUid) == 0;
      if (is_he && write(ready[1], "", 1) == 1) pause();
      _exit(1);
    }
    close(ready[1]);
    char byte = 0;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
  }
  ~Asker() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Requester who() const { return {.pid = pid_, .uid = kUid, .gid = kGid}; }

 private:
  pid_t pid_ = 0;
};

class OpenAsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can act as others";
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
  }
  void TearDown() override {
    if (geteuid() != 0) return;
    for (const std::string& name : made_) unlink(name.c_str());
    rmdir(directory_.c_str());
  }

  std::string Path(const std::string& name) {
    made_.push_back(directory_ + "/" + name);
    return made_.back();
  }
  std::string File(const std::string& name, mode_t mode, uid_t uid = 0, gid_t gid = 0) {
    const std::string path = Path(name);
    std::ofstream(path) << name;
    EXPECT_EQ(chown(path.c_str(), uid, gid), 0);
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }

  std::string directory_ = testing::TempDir() + "/open_as_XXXXXX";
  std::vector<std::string> made_;
};

int ErrorOf(const Asker& asker, const std::string& path) {
  return ErrnoOf(OpenAs(asker.who(), path).status());
}

TEST_F(OpenAsTest, HasHisRightsAndNoMore) {
  const Asker asker;
  const std::string his = File("his", 0600, kUid);
  const std::string secret = File("secret", 0600);
  EXPECT_EQ(ErrorOf(asker, secret), EACCES);
  EXPECT_EQ(ErrorOf(asker, directory_ + "/none"), ENOENT);
  absl::StatusOr<UniqueFd> file = OpenAs(asker.who(), his);
  ASSERT_TRUE(file.ok()) << file.status();
  char text[4] = {};
  EXPECT_EQ(read(file->get(), text, 3), 3);
  EXPECT_STREQ(text, "his");
  EXPECT_EQ(fcntl(file->get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_EQ(fcntl(file->get(), F_GETFD), FD_CLOEXEC);
  // Whoever did it is what he was.
  EXPECT_EQ(geteuid(), 0);
  EXPECT_TRUE(OpenAs({}, secret).ok());
}

TEST_F(OpenAsTest, HasHisGroups) {
  const std::string group = File("group", 0040, 0, kGid);
  const std::string other = File("other", 0040, 0, kOtherGroup);
  const std::string roots = File("roots", 0040);
  const Asker without;
  const Asker with({kOtherGroup});
  EXPECT_EQ(ErrorOf(without, group), 0);
  EXPECT_EQ(ErrorOf(without, other), EACCES);
  EXPECT_EQ(ErrorOf(with, other), 0);
  EXPECT_EQ(ErrorOf(with, roots), EACCES) << "our own groups do not count";
}

// Of root there is the name alone.
TEST_F(OpenAsTest, HasNoCapabilities) {
  const std::string his = File("his", 0600, kUid);
  const std::string roots = File("roots", 0600);
  const Requester root = {.pid = getpid(), .uid = 0, .gid = 0};
  EXPECT_EQ(ErrnoOf(OpenAs(root, his).status()), EACCES);
  EXPECT_TRUE(OpenAs(root, roots).ok());
}

TEST_F(OpenAsTest, PathsAreHis) {
  File("image", 0644);
  const Asker inside({}, directory_.c_str());
  EXPECT_EQ(ErrorOf(inside, "/image"), 0);
  EXPECT_EQ(ErrorOf(inside, "/../../image"), 0) << "there is nothing above his root";
  EXPECT_EQ(ErrorOf(inside, directory_ + "/image"), ENOENT);
}

TEST_F(OpenAsTest, ALastPartThatIsALinkIsRefused) {
  const Asker asker;
  const std::string his = File("his", 0644, kUid);
  const std::string link = Path("link");
  ASSERT_EQ(symlink(his.c_str(), link.c_str()), 0);
  EXPECT_EQ(ErrorOf(asker, link), ELOOP);
  EXPECT_EQ(ErrnoOf(OpenAs({}, link).status()), ELOOP);
}

TEST_F(OpenAsTest, DoesNotWaitForAPipe) {
  const Asker asker;
  const std::string pipe = Path("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  ASSERT_EQ(chown(pipe.c_str(), kUid, kGid), 0);
  EXPECT_EQ(ErrorOf(asker, pipe), 0);
}

TEST_F(OpenAsTest, WhoIsGoneOpensNothing) {
  Requester gone;
  {
    const Asker asker;
    gone = asker.who();
  }
  EXPECT_EQ(ErrnoOf(OpenAs(gone, "/dev/null").status()), ENOENT);
}

// -1 would leave to a thread what it is: root.
TEST_F(OpenAsTest, WhoCannotBeSeenOpensNothing) {
  const std::string all = File("all", 0644);
  const auto nobody = static_cast<uid_t>(-1);
  for (const Requester& who : {Requester{.pid = -1, .uid = 0, .gid = 0},
                               Requester{.pid = getpid(), .uid = nobody, .gid = 0},
                               Requester{.pid = getpid(), .uid = 0, .gid = nobody}}) {
    EXPECT_EQ(ErrnoOf(OpenAs(who, all).status()), EPERM);
  }
}

// As where an ordinary user mounts, who can be nobody else.
TEST_F(OpenAsTest, AnOrdinaryUserOpensForHimself) {
  const std::string his = File("his", 0600, kUid);
  const pid_t child = fork();
  if (child == 0) {
    const gid_t group = kOtherGroup;
    const bool is_he = setgroups(1, &group) == 0 && setresgid(kGid, kGid, kGid) == 0 &&
                       setresuid(kUid, kUid, kUid) == 0;
    const bool opens = OpenAs({.pid = getpid(), .uid = kUid, .gid = kGid}, his).ok();
    const int refused =
        ErrnoOf(OpenAs({.pid = getppid(), .uid = kUid + 1, .gid = kGid}, his).status());
    _exit(is_he && opens && (refused == EPERM || refused == EACCES) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace rnullfs
