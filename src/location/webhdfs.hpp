// Hadoop's file system as its web interface has it: a name node answers for names, and says which data node takes or
// gives content.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "location/address.hpp"
#include "location/web.hpp"
#include "net/url.hpp"

namespace kist::location {

struct HdfsStatus {
  std::string name;  // within its directory
  bool is_file = false;
  bool is_directory = false;
  std::uint64_t length = 0;
  unsigned mode = 0;          // 0 … 0777
  std::int64_t modified = 0;  // milliseconds since 1970
  std::int64_t id = 0;        // never given to another file
};

// Paths are absolute. Thread-safe. What may pass is tried again inside, at another name node and another data node too.
// Errors: those of locations. The context must outlive it.
class WebHdfs {
 public:
  // `shown`: what comes before a path in messages. Of several name nodes one is active, and found.
  WebHdfs(const std::vector<WebAddress>& name_nodes, std::string user, std::string shown, const Context& context);

  std::string address(std::string_view path) const { return shown_ + std::string(path); }

  Result<HdfsStatus> status(const std::string& path);
  // What a directory holds, in pages of some hundred. Errors: not_found; invalid (no directory).
  Status list(const std::string& path, const std::function<Status(const std::vector<HdfsStatus>&)>& page);
  // The bytes of a file with this status, in order, each once. Errors: conflict (it was replaced meanwhile), corrupt
  // (there are fewer or more).
  Status read(const std::string& path, const HdfsStatus& status, const net::Sink& sink);

  // A file with this content and mode: whole or not at all. Directories on the way are made. Errors: conflict (there is
  // one, and it is not to be replaced).
  Status write(const std::string& path, const net::Body& body, unsigned mode, bool replace);
  // What is there already is no error, and keeps its mode.
  Status make_directory(const std::string& path, unsigned mode);
  // A file or an empty directory. False where there is none, or where the directory is not empty.
  Result<bool> remove(const std::string& path);

 private:
  struct NameNode {
    NameNode(WebAddress where, const Context& context) : address(std::move(where)), web(context) {}
    WebAddress address;
    Web web;
  };

  Result<net::HttpAnswer> ask(std::string_view doing, std::string_view method, const std::string& path,
                              const net::Query& query);
  Result<Json> ask_json(std::string_view doing, std::string_view method, const std::string& path,
                        const net::Query& query);
  // Where the name node sends to for content.
  Result<std::string> data_node(std::string_view doing, std::string_view method, const std::string& path,
                                const net::Query& query);
  Status create(const std::string& path, const net::Body& body, unsigned mode);
  Status rename(std::string_view doing, const std::string& from, const std::string& to, bool replace);

  std::deque<NameNode> name_nodes_;
  std::atomic<std::size_t> active_{0};
  std::string user_;
  std::string shown_;
  const Context& context_;
  Web data_;
};

}  // namespace kist::location
