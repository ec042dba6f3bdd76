// A core is an ELF file whose PT_NOTE segments hold NT_PRPSINFO (process id, short name), NT_AUXV (addresses the kernel
// told the program, among them AT_PHDR, which lies in the executable's own mapping) and NT_FILE (which file is mapped
// where). The executable is the file mapped at AT_PHDR; but of a program on an overlay the kernel tells the path in the
// overlay's upper layer, so what it was started as (AT_EXECFN, a text on its stack) is asked first. All of it is input
// from a process that crashed: every offset and count is checked against what was read.
#include "task/core_dump.hpp"

#include <algorithm>
#include <array>
#include <climits>
#include <csignal>
#include <cstring>
#include <span>

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "task/inside.hpp"
#include "task/paths.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLargestNotes = 8 << 20;  // the kernel's own limit for NT_FILE is 4 MiB
constexpr std::size_t kLongestFileName = 255;
constexpr std::chrono::milliseconds kClockGrain(20);  // files are stamped with the tick before
constexpr std::array kCoreSignals{SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS};

std::unexpected<Error> no_core(std::string_view why) {
  return fail(ErrorKind::invalid, fmt::format("not the core of a 64-bit process: {}", why));
}

Result<std::vector<std::byte>> read_at(const FileDescriptor& file, std::uint64_t offset, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t done = 0; done < size;) {
    auto count = ::pread(file.get(), bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("cannot read a core");
    if (count == 0) return no_core("it ends too early");
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

// Takes values off the front of bytes that nobody vouches for.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  template <typename T>
  std::optional<T> take() {
    if (bytes_.size() < sizeof(T)) return {};
    T value;
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_ = bytes_.subspan(sizeof value);
    return value;
  }
  std::optional<std::span<const std::byte>> take(std::size_t size) {
    if (bytes_.size() < size) return {};
    auto taken = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return taken;
  }
  std::optional<std::string_view> take_text() {
    std::string_view text(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
    auto end = text.find('\0');
    if (end == std::string_view::npos) return {};
    bytes_ = bytes_.subspan(end + 1);
    return text.substr(0, end);
  }

 private:
  std::span<const std::byte> bytes_;
};

struct Found {
  std::optional<prpsinfo_t> process;
  std::uint64_t program_headers = 0;  // AT_PHDR
  std::uint64_t started_as = 0;       // AT_EXECFN
  std::span<const std::byte> files;   // NT_FILE
};

void read_note(std::uint32_t type, std::span<const std::byte> content, Found& found) {
  if (type == NT_PRPSINFO && !found.process) found.process = Reader(content).take<prpsinfo_t>();
  if (type == NT_FILE) found.files = content;
  if (type != NT_AUXV) return;
  Reader entries(content);
  while (auto entry = entries.take<Elf64_auxv_t>()) {
    if (entry->a_type == AT_PHDR) found.program_headers = entry->a_un.a_val;
    if (entry->a_type == AT_EXECFN) found.started_as = entry->a_un.a_val;
  }
}

void read_notes(std::span<const std::byte> segment, Found& found) {
  Reader notes(segment);
  while (auto header = notes.take<Elf64_Nhdr>()) {
    auto aligned = [](std::uint32_t size) { return (std::size_t{size} + 3) & ~std::size_t{3}; };
    auto name = notes.take(aligned(header->n_namesz));
    auto content = name ? notes.take(aligned(header->n_descsz)) : std::nullopt;
    if (!content) return;
    read_note(header->n_type, content->first(std::min<std::size_t>(content->size(), header->n_descsz)), found);
  }
}

// The file mapped at an address.
std::string mapped_at(std::uint64_t address, std::span<const std::byte> files) {
  Reader reader(files);
  auto count = reader.take<std::uint64_t>();
  auto page = reader.take<std::uint64_t>();
  if (!count || !page || *count > files.size() / 24) return {};
  auto table = reader.take(static_cast<std::size_t>(*count) * 24);
  if (!table) return {};
  Reader mappings(*table);
  for (std::uint64_t i = 0; i < *count; ++i) {
    auto start = mappings.take<std::uint64_t>();
    auto end = mappings.take<std::uint64_t>();
    auto offset = mappings.take<std::uint64_t>();
    auto path = reader.take_text();
    if (!start || !end || !offset || !path) return {};
    if (*start <= address && address < *end) return std::string(*path);
  }
  return {};
}

// The text at an address of the process, as far as the core holds it.
std::string text_at(std::uint64_t address, const FileDescriptor& file, std::span<const std::byte> segments) {
  for (Reader rows(segments); auto row = rows.take<Elf64_Phdr>();) {
    if (row->p_type != PT_LOAD || address < row->p_vaddr || address - row->p_vaddr >= row->p_filesz) continue;
    std::uint64_t left = row->p_filesz - (address - row->p_vaddr);
    auto bytes = read_at(file, row->p_offset + (address - row->p_vaddr), std::min<std::uint64_t>(left, PATH_MAX));
    if (!bytes) return {};
    return std::string(Reader(*bytes).take_text().value_or(""));
  }
  return {};
}

std::string read_setting(const char* path) {
  auto text = read_file(path, 1 << 12);
  if (!text) return {};
  while (text->ends_with('\n')) text->pop_back();
  return *text;
}

bool may_have_dumped(const sandbox::Ended& ended) {
  return ended.core_dumped ||
         std::ranges::any_of(kCoreSignals, [&](int number) { return ended.exit_code == 128 + number; });
}

}  // namespace

Result<CoreNotes> read_core_notes(const FileDescriptor& file) {
  KIST_TRY_ASSIGN(auto start, read_at(file, 0, sizeof(Elf64_Ehdr)));
  auto header = *Reader(start).take<Elf64_Ehdr>();
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_type != ET_CORE || header.e_phentsize != sizeof(Elf64_Phdr))
    return no_core("its header says otherwise");
  KIST_TRY_ASSIGN(auto table, read_at(file, header.e_phoff, std::size_t{header.e_phnum} * sizeof(Elf64_Phdr)));
  Found found;
  std::vector<std::vector<std::byte>> segments;  // what `found` refers to
  std::size_t budget = kLargestNotes;
  for (Reader rows(table); auto row = rows.take<Elf64_Phdr>();) {
    if (row->p_type != PT_NOTE) continue;
    if (row->p_filesz > budget) return no_core("its notes are too large");
    budget -= row->p_filesz;
    KIST_TRY_ASSIGN(auto bytes, read_at(file, row->p_offset, row->p_filesz));
    read_notes(segments.emplace_back(std::move(bytes)), found);
  }
  if (!found.process) return no_core("it does not tell its process");
  CoreNotes notes{.process = found.process->pr_pid,
                  .executable = mapped_at(found.program_headers, found.files),
                  .started_as = text_at(found.started_as, file, table)};
  if (notes.executable.empty())
    notes.executable.assign(found.process->pr_fname,
                            ::strnlen(found.process->pr_fname, sizeof found.process->pr_fname));
  return notes;
}

std::string core_dump_name(const CoreNotes& notes) {
  std::string executable = notes.executable;
  std::ranges::replace(executable, '/', '!');
  std::string name = fmt::format("core.{}.{}", notes.process, executable);
  if (name.size() > kLongestFileName) name.resize(kLongestFileName);
  return name;
}

bool matches_core_pattern(std::string_view name, std::string_view pattern) {
  pattern.remove_prefix(pattern.rfind('/') + 1);
  std::string glob;
  bool has_process = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '%' && i + 1 < pattern.size()) {
      has_process = has_process || pattern[i + 1] == 'p';
      glob += pattern[++i] == '%' ? "%" : "*";
    } else {
      if (std::string_view("*?[\\").contains(pattern[i])) glob += '\\';
      glob += pattern[i];
    }
  }
  std::string text(name);
  if (::fnmatch(glob.c_str(), text.c_str(), 0) == 0) return true;
  return !has_process && ::fnmatch((glob + ".[0-9]*").c_str(), text.c_str(), 0) == 0;
}

Result<std::vector<std::string>> name_core_dumps(const FileDescriptor& directory, const fs::path& place,
                                                 std::string_view pattern, Time since) {
  KIST_TRY_ASSIGN(auto names, names_in(directory));
  std::vector<std::string> made;
  for (const std::string& name : names) {
    if (!matches_core_pattern(name, pattern)) continue;
    FileDescriptor file(::openat(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    Time written(std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec));
    if (written < since - kClockGrain) continue;
    auto notes = read_core_notes(file);
    if (!notes) continue;
    if (!notes->started_as.empty()) notes->executable = (place / notes->started_as).lexically_normal();
    std::string wanted = core_dump_name(*notes);
    if (::linkat(directory.get(), name.c_str(), directory.get(), wanted.c_str(), 0) == 0)
      made.push_back(wanted);
    else if (errno != EEXIST)
      return fail_errno(fmt::format("cannot give {} the name {}", name, wanted));
  }
  return made;
}

std::optional<std::string> find_core_dumps(sandbox::Sandbox& sandbox, const fs::path& working_directory,
                                           const sandbox::Ended& ended, Time since) {
  std::string pattern = read_setting("/proc/sys/kernel/core_pattern");
  if (pattern.starts_with('|')) {
    if (!may_have_dumped(ended)) return {};
    std::string program = pattern.substr(1, pattern.find(' ') - 1);
    return fmt::format(
        "core dumps of this machine go to {} and not to files; to find them beside the program, set "
        "kernel.core_pattern: sysctl -w kernel.core_pattern=core.%p.%E",
        program);
  }
  fs::path place = absolute_path(fs::path(pattern).parent_path().native(), working_directory, "/");
  auto directory = open_directory(sandbox, place);
  if (!directory) return {};
  auto made = name_core_dumps(*directory, place, pattern, since);
  if (!made) return made.error().text;
  return {};
}

}  // namespace kist::task
