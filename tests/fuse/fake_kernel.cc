#include "fuse/fake_kernel.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace rnullfs {
namespace {

// Arguments as they follow one another in a request.
template <typename T>
std::string Payload(const T& arguments, std::string_view data = {}) {
  return std::string(BytesOf(arguments)).append(data);
}

std::string Terminated(std::string_view name) { return std::string(name) + '\0'; }

std::string ReadArguments(OpenFile file, uint64_t offset, uint32_t size) {
  fuse_read_in in = {};
  in.fh = file.handle;
  in.offset = offset;
  in.size = size;
  return Payload(in);
}

std::string WriteArguments(OpenFile file, uint64_t offset, std::string_view data) {
  fuse_write_in in = {};
  in.fh = file.handle;
  in.offset = offset;
  in.size = static_cast<uint32_t>(data.size());
  return Payload(in, data);
}

}  // namespace

fuse_init_out FakeKernel::Init() {
  fuse_init_in in = {};
  in.major = FUSE_KERNEL_VERSION;
  in.minor = FUSE_KERNEL_MINOR_VERSION;
  in.max_readahead = 128 << 10;
  in.flags = UINT32_MAX;
  in.flags2 = UINT32_MAX;
  const FuseReply reply = Call(FUSE_INIT, 0, Payload(in));
  EXPECT_EQ(reply.error, 0);
  return reply.As<fuse_init_out>();
}

FuseReply FakeKernel::Lookup(uint64_t directory, std::string_view name) {
  return Call(FUSE_LOOKUP, directory, Terminated(name));
}

FuseReply FakeKernel::MakeDirectory(uint64_t directory, std::string_view name, uint32_t mode) {
  fuse_mkdir_in in = {};
  in.mode = mode;
  return Call(FUSE_MKDIR, directory, Payload(in, Terminated(name)));
}

FuseReply FakeKernel::RemoveDirectory(uint64_t directory, std::string_view name) {
  return Call(FUSE_RMDIR, directory, Terminated(name));
}

FuseReply FakeKernel::GetAttr(uint64_t node) {
  return Call(FUSE_GETATTR, node, Payload(fuse_getattr_in{}));
}

FuseReply FakeKernel::SetAttr(uint64_t node, const fuse_setattr_in& change) {
  return Call(FUSE_SETATTR, node, Payload(change));
}

FuseReply FakeKernel::StatFs(uint64_t node) { return Call(FUSE_STATFS, node, {}); }

FuseReply FakeKernel::ReadDirectory(uint64_t directory, uint64_t offset, uint32_t size) {
  return Call(FUSE_READDIR, directory, ReadArguments({}, offset, size));
}

FuseReply FakeKernel::Open(uint64_t node, uint32_t flags) {
  fuse_open_in in = {};
  in.flags = flags;
  return Call(FUSE_OPEN, node, Payload(in));
}

FuseReply FakeKernel::Read(OpenFile file, uint64_t offset, uint32_t size) {
  return Await(SendRead(file, offset, size));
}

FuseReply FakeKernel::Write(OpenFile file, uint64_t offset, std::string_view data) {
  return Await(SendWrite(file, offset, data));
}

FuseReply FakeKernel::Flush(OpenFile file) {
  fuse_flush_in in = {};
  in.fh = file.handle;
  return Call(FUSE_FLUSH, file.node, Payload(in));
}

FuseReply FakeKernel::Sync(OpenFile file, uint32_t opcode) {
  fuse_fsync_in in = {};
  in.fh = file.handle;
  return Call(opcode, file.node, Payload(in));
}

FuseReply FakeKernel::Release(OpenFile file) {
  fuse_release_in in = {};
  in.fh = file.handle;
  return Call(FUSE_RELEASE, file.node, Payload(in));
}

FuseReply FakeKernel::Allocate(OpenFile file, uint32_t mode, uint64_t offset, uint64_t length) {
  fuse_fallocate_in in = {};
  in.fh = file.handle;
  in.offset = offset;
  in.length = length;
  in.mode = mode;
  return Call(FUSE_FALLOCATE, file.node, Payload(in));
}

FuseReply FakeKernel::Seek(OpenFile file, uint64_t offset, uint32_t whence) {
  fuse_lseek_in in = {};
  in.fh = file.handle;
  in.offset = offset;
  in.whence = whence;
  return Call(FUSE_LSEEK, file.node, Payload(in));
}

std::future<FuseReply> FakeKernel::SendRead(OpenFile file, uint64_t offset, uint32_t size) {
  return Send(FUSE_READ, file.node, ReadArguments(file, offset, size));
}

std::future<FuseReply> FakeKernel::SendWrite(OpenFile file, uint64_t offset,
                                             std::string_view data) {
  return Send(FUSE_WRITE, file.node, WriteArguments(file, offset, data));
}

uint64_t FakeKernel::Find(uint64_t directory, std::string_view name) {
  const FuseReply reply = Lookup(directory, name);
  EXPECT_EQ(reply.error, 0) << name;
  return reply.As<fuse_entry_out>().nodeid;
}

OpenFile FakeKernel::OpenOf(uint64_t directory, std::string_view name, uint32_t flags) {
  const uint64_t node = Find(directory, name);
  const FuseReply reply = Open(node, flags);
  EXPECT_EQ(reply.error, 0) << name;
  return {node, reply.As<fuse_open_out>().fh};
}

void FakeKernel::Close(OpenFile file) {
  EXPECT_EQ(Flush(file).error, 0);
  EXPECT_EQ(Release(file).error, 0);
}

std::string FakeKernel::ReadFile(uint64_t directory, std::string_view name) {
  const OpenFile file = OpenOf(directory, name, O_RDONLY);
  std::string text;
  for (;;) {
    const FuseReply more = Read(file, text.size(), 4096);
    EXPECT_EQ(more.error, 0) << name;
    if (more.data.empty()) break;
    text += more.data;
  }
  Close(file);
  return text;
}

uint64_t FakeKernel::MakeDevice(std::string_view name, std::string_view json) {
  const FuseReply made = MakeDirectory(kRoot, name);
  EXPECT_EQ(made.error, 0) << name;
  const uint64_t directory = made.As<fuse_entry_out>().nodeid;
  EXPECT_EQ(WriteFile(directory, "config.json", json), 0) << json;
  return directory;
}

int FakeKernel::WriteFile(uint64_t directory, std::string_view name, std::string_view text) {
  const OpenFile file = OpenOf(directory, name, O_WRONLY | O_TRUNC);
  fuse_setattr_in to_nothing = {};
  to_nothing.valid = FATTR_SIZE;
  EXPECT_EQ(SetAttr(file.node, to_nothing).error, 0);
  const FuseReply written = Write(file, 0, text);
  Close(file);
  return written.error;
}

std::vector<DirectoryEntry> FakeKernel::List(uint64_t directory, uint32_t size) {
  std::vector<DirectoryEntry> entries;
  for (uint64_t offset = 0;; offset = entries.back().next_offset) {
    const FuseReply reply = ReadDirectory(directory, offset, size);
    EXPECT_EQ(reply.error, 0);
    EXPECT_LE(reply.data.size(), size);
    if (reply.data.empty()) return entries;
    for (std::string_view rest = reply.data; !rest.empty();) {
      fuse_dirent entry = {};
      std::memcpy(&entry, rest.data(), FUSE_NAME_OFFSET);
      entries.push_back({entry.ino, entry.off, entry.type,
                         std::string(rest.substr(FUSE_NAME_OFFSET, entry.namelen))});
      rest.remove_prefix(FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + entry.namelen));
    }
  }
}

}  // namespace rnullfs
