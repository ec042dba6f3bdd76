// Messages with descriptors between kist, the launcher and the inits: one datagram each on a SOCK_SEQPACKET socket;
// what is too large for one travels in a memory file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::sandbox {

struct Message {
  std::string bytes;
  std::vector<FileDescriptor> descriptors;
};

// A connected pair.
Result<std::pair<FileDescriptor, FileDescriptor>> make_channel();

Status send_message(int socket, std::string_view bytes, std::span<const int> descriptors = {});
// Waits for the next one; nullopt where the other side is gone.
Result<std::optional<Message>> receive_message(int socket);

// Writes values one behind the other. Both sides are one program: no versions, host byte order.
class Packer {
 public:
  Packer& add(std::uint64_t number);
  Packer& add(std::string_view text);
  Packer& add(const std::string& text) { return add(std::string_view(text)); }
  Packer& add(const std::filesystem::path& path) { return add(std::string_view(path.native())); }
  template <typename T>
  Packer& add(const std::vector<T>& items) {
    add(items.size());
    for (const T& item : items) add(item);
    return *this;
  }
  Packer& add(const Mount& mount);
  Packer& add(const File& file);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Reads what a Packer wrote, in the same order. What is not there reads as zero and empty.
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t number();
  std::string text();
  std::filesystem::path path() { return text(); }
  void get(std::string& value) { value = text(); }
  void get(std::filesystem::path& value) { value = text(); }
  void get(Mount& mount);
  void get(File& file);
  template <typename T>
  void get(std::vector<T>& items) {
    items.clear();
    for (std::uint64_t left = number(); left > 0; --left) get(items.emplace_back());
  }

 private:
  std::string_view bytes_;
};

std::string pack(const Layout& layout);
Layout unpack_layout(std::string_view bytes);

// An answer that is an error: its kind plus one, and its text. What went well begins with 0.
std::string pack(const Error& error);
Status check_answer(Unpacker& answer);

}  // namespace kist::sandbox
