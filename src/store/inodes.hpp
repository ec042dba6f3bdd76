// What kist knows of the inodes of adopted files, which views give out as hard links. An inode may be given out,
// instead of a copy of checked bytes, only while nobody but kist changed it. Any change of content, mode, times or
// links moves ctime, which no program can set; so kist writes down (inode, size, mtime, ctime) after its own links and
// unlinks, and believes an inode only as long as that is what is there. One change is expected from outside: the task's
// scratch, where the file came from, is thrown away after the commit, which takes one link; that is allowed once.
//
// An inode that is not believed is read and checked against its chunks, and then believed again or reported as damaged.
// The records (inodes/NAME) are a cache: they are not synced, and a lost or torn one only costs that reading.
//
// Thread-safe, and between processes: each record is locked while it is used.
#pragma once

#include <functional>
#include <string>

#include "store/container.hpp"
#include "store/directory.hpp"

namespace kist::store {

class Inodes {
 public:
  explicit Inodes(const StoreDirectory& directory) : directory_(directory) {}

  // Writes down a file that was just adopted and still has its link in the scratch.
  Status adopted(const Container& container);

  // Reads and checks a whole adopted file.
  using Check = std::function<Status()>;
  // That an adopted file is what it was, by its inode or else by its bytes. Errors: not_found, corrupt.
  Status make_sure(const Container& container, const Check& check);

  // Links an adopted file into a directory, if it is what it was and its inode as this entry needs it. False where not,
  // or where it has no more links to give: copy then.
  struct Wanted {
    std::uint64_t size = 0;
    std::uint32_t mode = 0;
    timespec modified{};
  };
  Result<bool> link(const Container& container, const Wanted& wanted, const Check& check, int directory,
                    const std::string& name);
  // Removes such a link.
  Status unlink(const Digest& file, int directory, const std::string& name);

 private:
  const StoreDirectory& directory_;
};

}  // namespace kist::store
