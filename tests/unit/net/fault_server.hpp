// An HTTP server in this process that keeps objects as S3 does, as far as kist asks, and fails as it is told: it
// answers errors, cuts bodies off, resets connections in the middle, hangs, has a wrong clock, stores damaged bytes.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace kist::net {

struct ServedRequest {
  std::string method;
  std::string target;                          // as it was sent
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
  std::string path() const { return target.substr(0, target.find('?')); }
  bool asks(std::string_view parameter) const;         // has this name in its query
  std::string parameter(std::string_view name) const;  // not decoded
};

// What goes wrong with a request. The first fault in the queue that is for it is used up by it.
struct Fault {
  std::string method{};                           // empty: any
  std::string target_part{};                      // the target contains this
  int status = 0;                                 // answers this instead of doing it
  std::string code{};                             // S3's error code, in the answer's XML
  std::string body{};                             // of that answer, instead
  std::map<std::string, std::string> headers{};   // more in the answer
  std::optional<std::size_t> reset_after_body{};  // resets the connection once so many bytes of the request came
  std::optional<std::size_t> cut_answer_at{};     // closes it after so many bytes of the answer's body
  bool lose_answer = false;                       // does it, then resets the connection
  bool hang = false;                              // never answers
  bool store_damaged = false;                     // stores other bytes and answers their ETag
};

class FaultServer {
 public:
  FaultServer();
  ~FaultServer();
  FaultServer(FaultServer&&) = delete;

  std::string endpoint() const;

  void fail(Fault fault) {
    std::lock_guard lock(mutex_);
    faults_.push_back(std::move(fault));
  }
  // Takes all faults back that were not used up.
  void forgive() {
    std::lock_guard lock(mutex_);
    faults_.clear();
  }
  // All requests whose headers came, in order; bodies as far as they were read.
  std::vector<ServedRequest> requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  std::size_t count(std::string_view method, std::string_view target_part) const;
  std::size_t faults_left() const {
    std::lock_guard lock(mutex_);
    return faults_.size();
  }

  // Keys are "/bucket/key" as they come in the target.
  std::map<std::string, std::string> objects() const {
    std::lock_guard lock(mutex_);
    return objects_;
  }

  std::atomic<int> clock_offset{0};  // seconds; requests signed more than 15 minutes off are refused
  std::atomic<bool> ignores_conditions{false};
  std::atomic<bool> wants_unquoted_etags{false};
  std::atomic<bool> own_etags{false};  // ETags that are no MD5
  std::atomic<bool> open{false};       // requests need not be signed: a web server
  std::string region = "us-east-1";    // requests signed for another are refused; set before the first

 private:
  struct Reply {
    int status = 200;
    std::map<std::string, std::string> headers{};
    std::string body{};
  };
  struct Upload {
    std::string path;
    std::map<int, std::string> parts;
  };

  void accept();
  void serve(int connection);
  bool serve_one(int connection, std::string& buffer);
  Reply answer(const ServedRequest& request, bool damaged);
  std::optional<Reply> refusal(const ServedRequest& request) const;
  static Reply error(int status, const std::string& code, std::string more = {});
  std::string etag_of(const std::string& bytes) const;
  std::string date() const;

  int listening_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread accepting_;

  mutable std::mutex mutex_;  // what follows
  std::vector<std::thread> serving_;
  std::vector<int> connections_;
  std::deque<Fault> faults_;
  std::vector<ServedRequest> requests_;
  std::map<std::string, std::string> objects_;
  std::map<std::string, Upload> uploads_;
};

}  // namespace kist::net
