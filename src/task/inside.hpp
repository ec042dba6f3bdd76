// Reads and writes below a task's root from outside it, by descriptors: no path of the task's is ever resolved on the
// host.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::task {

// How a program of this process names what a descriptor stands for: "/proc/self/fd/N".
std::filesystem::path by_descriptor(const FileDescriptor& descriptor);

// An error about what lies at `outside`, or below it, on this machine, in the words of who knows it as `inside`.
Error told_inside(Error error, const std::filesystem::path& outside, const std::filesystem::path& inside);

// Opens a directory of the task for reading, or making entries in it; it must exist.
Result<FileDescriptor> open_directory(sandbox::Sandbox& sandbox, const std::filesystem::path& inside);

// The same, made with its parents where it is missing.
Result<FileDescriptor> make_directory(sandbox::Sandbox& sandbox, const std::filesystem::path& inside);

// Puts a file in place of whatever file is there; never writes into one that a process may have open (a shell reads its
// script as it goes). Parents are made.
Status put_file(sandbox::Sandbox& sandbox, const std::filesystem::path& inside, std::string_view content,
                unsigned mode);

// The names in a directory, sorted bytewise.
Result<std::vector<std::string>> names_in(const FileDescriptor& directory);

// Opens (O_PATH) what stands at a relative path below a directory, whatever a process does there meanwhile: links that
// lead out of it are not followed, and without `links` none is. Errors: errno's.
Result<FileDescriptor> open_beneath(const FileDescriptor& directory, const std::filesystem::path& path, bool links);

// Sets the permission bits of what stands at a path, and of everything below it where `below` (links are left alone).
Status set_mode(sandbox::Sandbox& sandbox, const std::filesystem::path& inside, std::uint32_t mode, bool below);

}  // namespace kist::task
