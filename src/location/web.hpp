// Requests that are tried again while the failure may pass. Redirects are answers like others.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "location/cancelling.hpp"
#include "location/location.hpp"
#include "location/upload.hpp"
#include "net/http.hpp"

namespace kist::location {

// Makes the request of each attempt anew: signatures and tokens grow old. `range`: the value of the header Range that
// it is to have, where it is not empty.
using MakeRequest = std::function<Result<net::HttpRequest>(const std::string& range)>;

// Thread-safe.
class Web {
 public:
  // `settings`: certificates; times and the cancelling are the context's.
  explicit Web(const Context& context, net::HttpSettings settings = {});

  // The answer, whatever it says, unless it says to come later (408, 429, 500, 502, 503, 504) until the retries are
  // used up. `doing`: "load http://…", for messages.
  Result<net::HttpAnswer> send(std::string_view doing, const MakeRequest& make);

  // The same for a body of any size. Answers of 2xx go to `begins`, once, and the sink, in order, each byte once: a
  // transfer that breaks goes on where it broke, or what came already is passed over. Errors: conflict (it was
  // replaced meanwhile), unavailable (there is less of it, or more, than the server says).
  Result<net::HttpAnswer> get(std::string_view doing, const MakeRequest& make,
                              const std::function<Status(const net::HttpAnswer&)>& begins, const net::Sink& sink);

  // What is sent from now on takes back what was begun, and may do so for some seconds after all is cancelled.
  void take_back() const { cancelling_.take_back(); }

 private:
  Result<net::HttpAnswer> attempt(std::string_view doing, const MakeRequest& make,
                                  const std::function<std::string()>& range,
                                  const std::function<void(net::HttpRequest&)>& change,
                                  const std::function<bool()>& progressed);

  const Cancelling cancelling_;
  net::RetrySettings retry_;
  net::Moved moved_;
  net::HttpClient client_;
  std::atomic<bool> reached_{false};
};

// What came of an object that a place keeps.
struct ArrivedObject {
  net::HttpAnswer answer;  // where it is 2xx, with the headers of the first: those of later ones are of a part
  std::string md5;         // of all that came, in base64
};
// Web::get() for an object whose metadata are headers: `metadata` and then the name, where '_' stands for '-' too.
Result<ArrivedObject> get_object(Web& web, std::string_view doing, const MakeRequest& make, std::string_view metadata,
                                 const std::function<Status(const Attributes&)>& begins, const net::Sink& sink);

// What an answer that is no 2xx means: not_found, denied, conflict, … `detail`: the server's own words, if any.
std::unexpected<Error> refused(std::string_view doing, const net::HttpAnswer& answer, std::string_view detail = {});

}  // namespace kist::location
