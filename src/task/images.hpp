// Images without a container engine: what an image's name means on this machine. A table maps names to host programs;
// users extend it by `PROJECT/.kist/images.yaml` and `KIST_HOME/images.yaml`, a list of
//
//   - image: my-image:*            # a glob; tried on the whole name and on the name without its tag
//     path: [/opt/mine/bin]        # goes first in PATH; relative to the project
//     environment: {MODE: fast}
//     command: [serve]             # what the image starts by itself, where a file gives arguments only
//
// The project's file is read first, then the home's, then the built-in table; the first that matches decides.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace kist::task {

struct ImageRule {
  std::string image;  // the glob
  std::vector<std::filesystem::path> path;
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> command;         // before the arguments of a file that gives no command
  bool before_options = false;              // but only where the first of them is an option: `bash:5` with `-c …`
  std::vector<std::string> alone;           // runs where a file gives neither command nor arguments
  std::vector<std::string_view> stand_ins;  // programs of the image that this machine may lack (stand_ins.hpp)
};

using ImageTable = std::vector<ImageRule>;

// The users' rules and the built-in ones, in the order they are tried; remembered for two seconds. Errors: invalid,
// with file, line and column.
Result<std::shared_ptr<const ImageTable>> image_table(const std::filesystem::path& project,
                                                      const std::filesystem::path& home);

// One file of rules. `name` is for errors; relative entries of `path` hang off `project`.
Result<ImageTable> parse_image_rules(std::string_view text, std::string_view name,
                                     const std::filesystem::path& project);

// The rule for an image, or nullptr: nobody knows it. The registry "docker.io/" and its "library/" do not count, a
// missing tag is "latest", a digest is left out. An image of another registry is also looked for without that.
const ImageRule* find_image(const ImageTable& table, std::string_view image);

// Whether the `sh` of an image is known to understand what bash does and a plain POSIX shell does not (`[[`, $RANDOM,
// `echo -e`): BusyBox's, as in all of Alpine's, and that of Red Hat's kin, which is bash. Debian's is dash.
bool has_rich_shell(std::string_view image);

}  // namespace kist::task
