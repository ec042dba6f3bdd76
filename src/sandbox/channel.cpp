#include "sandbox/channel.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace kist::sandbox {
namespace {

constexpr std::size_t kInline = 32 * 1024;  // of bytes in a datagram; the default socket buffer takes several
constexpr std::size_t kMostDescriptors = 8;

Result<FileDescriptor> memory_file(std::string_view bytes) {
  FileDescriptor file(::memfd_create("kist-message", MFD_CLOEXEC));
  if (!file) return fail_errno("cannot create a memory file");
  KIST_TRY(write_all(file.get(), bytes, "a memory file"));
  return file;
}

Result<std::string> read_whole(int file) {
  std::string bytes(static_cast<std::size_t>(::lseek(file, 0, SEEK_END)), '\0');
  if (::pread(file, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return fail_errno("cannot read a message");
  return bytes;
}

}  // namespace

Result<std::pair<FileDescriptor, FileDescriptor>> make_channel() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail_errno("cannot create a socket pair");
  return std::pair(FileDescriptor(ends[0]), FileDescriptor(ends[1]));
}

Status send_message(int socket, std::string_view bytes, std::span<const int> descriptors) {
  // The first byte says whether the rest is here or in a memory file, which is then the first descriptor.
  bool large = bytes.size() > kInline;
  FileDescriptor file;
  std::vector<int> all;
  if (large) {
    KIST_TRY_ASSIGN(file, memory_file(bytes));
    all.push_back(file.get());
    bytes = {};
  }
  all.insert(all.end(), descriptors.begin(), descriptors.end());

  char first = large ? 'L' : 'S';
  std::array<iovec, 2> parts{{{&first, 1}, {const_cast<char*>(bytes.data()), bytes.size()}}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMostDescriptors)> control{};
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  if (!all.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(sizeof(int) * all.size());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * all.size());
    std::memcpy(CMSG_DATA(rights), all.data(), sizeof(int) * all.size());
  }
  while (::sendmsg(socket, &header, MSG_NOSIGNAL) < 0)
    if (errno != EINTR) return fail_errno("cannot send a message");
  return {};
}

Result<std::optional<Message>> receive_message(int socket) {
  std::string buffer(kInline + 1, '\0');
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMostDescriptors)> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t count = 0;
  while ((count = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC)) < 0)
    if (errno != EINTR) {
      if (errno == ECONNRESET) return std::optional<Message>();
      return fail_errno("cannot receive a message");
    }
  if (count == 0) return std::optional<Message>();

  Message message;
  for (cmsghdr* part_header = CMSG_FIRSTHDR(&header); part_header != nullptr;
       part_header = CMSG_NXTHDR(&header, part_header)) {
    std::size_t number = (part_header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < number; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(part_header) + i * sizeof(int), sizeof descriptor);
      message.descriptors.emplace_back(descriptor);
    }
  }
  if (buffer[0] == 'L' && !message.descriptors.empty()) {
    KIST_TRY_ASSIGN(message.bytes, read_whole(message.descriptors.front().get()));
    message.descriptors.erase(message.descriptors.begin());
  } else {
    message.bytes = buffer.substr(1, static_cast<std::size_t>(count) - 1);
  }
  return std::optional(std::move(message));
}

Packer& Packer::add(std::uint64_t number) {
  bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
  return *this;
}

Packer& Packer::add(std::string_view text) {
  add(text.size());
  bytes_ += text;
  return *this;
}

Packer& Packer::add(const Mount& mount) {
  return add(static_cast<std::uint64_t>(mount.kind))
      .add(mount.source)
      .add(mount.target)
      .add(mount.files)
      .add(mount.below);
}

Packer& Packer::add(const File& file) {
  return add(file.path).add(file.content).add(file.mode);
}

std::uint64_t Unpacker::number() {
  std::uint64_t value = 0;
  std::size_t count = std::min(sizeof value, bytes_.size());
  std::memcpy(&value, bytes_.data(), count);
  bytes_.remove_prefix(count);
  return value;
}

std::string Unpacker::text() {
  std::size_t size = std::min<std::size_t>(number(), bytes_.size());
  std::string value(bytes_.substr(0, size));
  bytes_.remove_prefix(size);
  return value;
}

void Unpacker::get(Mount& mount) {
  mount.kind = static_cast<Mount::Kind>(number());
  mount.source = path();
  mount.target = path();
  get(mount.files);
  mount.below = path();
}

void Unpacker::get(File& file) {
  file.path = path();
  file.content = text();
  file.mode = static_cast<unsigned>(number());
}

std::string pack(const Layout& layout) {
  Packer packer;
  packer.add(layout.scratch)
      .add(layout.fresh)
      .add(layout.hidden)
      .add(layout.visible)
      .add(layout.mounts)
      .add(layout.files);
  packer.add(layout.control_socket).add(layout.cache).add(layout.as_root ? 1 : 0);
  return packer.bytes();
}

Layout unpack_layout(std::string_view bytes) {
  Unpacker unpacker(bytes);
  Layout layout;
  unpacker.get(layout.scratch);
  unpacker.get(layout.fresh);
  unpacker.get(layout.hidden);
  unpacker.get(layout.visible);
  unpacker.get(layout.mounts);
  unpacker.get(layout.files);
  unpacker.get(layout.control_socket);
  unpacker.get(layout.cache);
  layout.as_root = unpacker.number() != 0;
  return layout;
}

std::string pack(const Error& error) {
  return Packer().add(static_cast<std::uint64_t>(error.kind) + 1).add(std::string_view(error.text)).bytes();
}

Status check_answer(Unpacker& answer) {
  std::uint64_t kind = answer.number();
  if (kind == 0) return {};
  return fail(static_cast<ErrorKind>(kind - 1), answer.text());
}

}  // namespace kist::sandbox
