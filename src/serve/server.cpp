// The one file that knows Boost.Beast. Connections are driven by two threads that run an io_context; a request, once
// its headers are here, by a worker, which waits for each read and write of its connection. While a worker has a
// connection, nothing else is under way on it.
#include "serve/server.hpp"

#include <condition_variable>
#include <future>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <fmt/format.h>

namespace kist::serve {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

constexpr std::uint32_t kLongestHeader = 32 << 10;
constexpr std::size_t kReadAtOnce = 256 << 10;
constexpr std::size_t kPassedOver = 1 << 20;  // of a body nobody read, before the connection is closed instead

// What connections share with their server.
struct Shared {
  explicit Shared(const ServerSettings& given, Handler handle)
      : settings(given), handler(std::move(handle)), workers(given.workers) {}

  const ServerSettings settings;
  const Handler handler;

  // Before what runs connections: the last of them may go with the queue that it waits in.
  std::mutex mutex;  // what follows
  std::condition_variable changed;
  bool stopping = false;
  std::set<class Connection*> open;

  asio::io_context io;
  // Its threads go on while every connection is with a worker and nothing waits in it.
  asio::executor_work_guard<asio::io_context::executor_type> working{io.get_executor()};
  asio::thread_pool workers;
};

// What the server can do with a connection, whatever its stream.
class Connection : public Exchange {
 public:
  virtual void begin() = 0;
  virtual void leave_if_idle() = 0;  // ends it if it waits for a request
  virtual void cut() = 0;            // ends it
};

template <typename Stream>
class StreamConnection final : public Connection, public std::enable_shared_from_this<StreamConnection<Stream>> {
 public:
  template <typename... Arguments>
  explicit StreamConnection(Shared& shared, tcp::socket socket, Arguments&... arguments)
      : shared_(shared), stream_(std::move(socket), arguments...) {}
  ~StreamConnection() override {
    std::lock_guard lock(shared_.mutex);
    shared_.open.erase(this);
    shared_.changed.notify_all();
  }

  // Whoever finds it among the open ones asks for a reference, and there is none before it is made.
  void begin() override {
    {
      std::lock_guard lock(shared_.mutex);
      if (shared_.stopping) return;
      shared_.open.insert(this);
    }
    asio::dispatch(stream_.get_executor(), [self = this->shared_from_this()] { self->shake_hands(); });
  }
  void leave_if_idle() override {
    asio::post(stream_.get_executor(), [weak = this->weak_from_this()] {
      if (auto self = weak.lock(); self && self->idle_) beast::get_lowest_layer(self->stream_).close();
    });
  }
  void cut() override {
    asio::post(stream_.get_executor(), [weak = this->weak_from_this()] {
      if (auto self = weak.lock()) beast::get_lowest_layer(self->stream_).close();
    });
  }

  std::string_view header(std::string_view name) const override {
    const auto found = parser_->get().find(name);
    return found == parser_->get().end() ? std::string_view() : std::string_view(found->value());
  }

  Result<std::size_t> read(std::span<std::byte> into) override {
    if (parser_->is_done() || into.empty()) return std::size_t{0};
    if (wants_continue_) {
      wants_continue_ = false;
      KIST_TRY(send("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    const std::size_t room = std::min(into.size(), kReadAtOnce);
    parser_->get().body().data = into.data();
    parser_->get().body().size = room;
    const ErrorCode error = wait([this](auto done) { http::async_read(stream_, buffer_, *parser_, std::move(done)); });
    if (error && error != http::error::need_buffer) return gone(error);
    return room - parser_->get().body().size;
  }

  Status answer(int status, const HttpHeaders& headers, std::string_view body) override {
    KIST_TRY(begin_answer(status, headers, body.size()));
    return method == "HEAD" ? Status() : write(std::as_bytes(std::span(body)));
  }

  Status begin_answer(int status, const HttpHeaders& headers, std::uint64_t length) override {
    answered_ = true;
    http::response<http::empty_body> response;
    response.result(static_cast<unsigned>(status));
    for (const auto& [name, value] : headers) response.insert(name, value);
    if (status != 204 && status != 304) response.content_length(length);
    // What is left of a long body would have to be read before the next request.
    if (keep_ && !parser_->is_done() && (wants_continue_ || rest_of_body() > kPassedOver)) keep_ = false;
    response.keep_alive(keep_);
    std::ostringstream text;
    text << response.base();
    left_ = method == "HEAD" || status == 204 || status == 304 ? 0 : length;
    return send(text.view());
  }

  Status write(std::span<const std::byte> bytes) override {
    left_ -= std::min<std::uint64_t>(left_, bytes.size());
    return send({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

 private:
  void shake_hands() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      extend();
      stream_.async_handshake(asio::ssl::stream_base::server, [self = this->shared_from_this()](ErrorCode error) {
        if (!error) self->await_request();
      });
    } else {
      await_request();
    }
  }

  // On the connection's strand. The last reference goes with the callback if it does not go on, and closes it.
  void await_request() {
    parser_.emplace();
    parser_->header_limit(kLongestHeader);
    parser_->body_limit(boost::none);
    idle_ = true;
    {
      std::lock_guard lock(shared_.mutex);
      if (shared_.stopping) return;
    }
    extend();
    http::async_read_header(
        stream_, buffer_, *parser_, [self = this->shared_from_this()](ErrorCode error, std::size_t) {
          self->idle_ = false;
          if (error == http::error::end_of_stream) return self->close_politely();
          if (error && error.category() != http::make_error_code(http::error::bad_method).category()) return;
          const bool bad = static_cast<bool>(error);
          asio::post(self->shared_.workers, [self, bad] { self->handle(bad); });
        });
  }

  // On a worker.
  void handle(bool bad) {
    const auto& request = parser_->get();
    answered_ = false;
    wants_continue_ = false;
    keep_ = !bad && request.keep_alive();
    if (bad) {
      method = "GET";
      (void)answer(400, {{"content-type", "text/plain"}}, "this is not HTTP\n");
    } else {
      method = std::string_view(request.method_string());
      const std::string_view target = request.target();
      const auto question = target.find('?');
      path = target.substr(0, question);
      wants_continue_ = beast::iequals(request[http::field::expect], "100-continue");
      auto parsed = question == std::string_view::npos ? net::Query() : net::parse_query(target.substr(question + 1));
      if (!parsed || !path.starts_with('/')) {
        (void)answer(400, {{"content-type", "text/plain"}}, "the request's address cannot be read\n");
      } else {
        query = std::move(*parsed);
        shared_.handler(*this);
        if (!answered_) (void)answer(500, {}, "");
      }
    }
    if (left_ > 0) keep_ = false;  // an answer that was broken off
    if (keep_ && !parser_->is_done()) pass_over_body();
    asio::post(stream_.get_executor(), [self = this->shared_from_this()] {
      if (self->keep_)
        self->await_request();
      else
        self->close_politely();
    });
  }

  void pass_over_body() {
    std::vector<std::byte> buffer(64 << 10);
    for (std::size_t passed = 0; keep_ && !parser_->is_done();) {
      auto count = read(buffer);
      passed += count.value_or(kPassedOver + 1);
      if (passed > kPassedOver) keep_ = false;
    }
  }

  std::uint64_t rest_of_body() const {
    const auto rest = parser_->content_length_remaining();
    return rest ? *rest : UINT64_MAX;
  }

  void extend() { beast::get_lowest_layer(stream_).expires_after(shared_.settings.idle); }

  // Starts an operation on the strand and waits for its end: the worker's side.
  template <typename Start>
  ErrorCode wait(Start start) {
    // Shared, since the one who sets it is still at it when the other goes on.
    auto promise = std::make_shared<std::promise<ErrorCode>>();
    auto future = promise->get_future();
    asio::dispatch(stream_.get_executor(), [&] {
      extend();
      start([promise](ErrorCode error, std::size_t) { promise->set_value(error); });
    });
    return future.get();
  }

  Status send(std::string_view text) {
    const ErrorCode error =
        wait([&](auto done) { asio::async_write(stream_, asio::buffer(text.data(), text.size()), std::move(done)); });
    if (error) return gone(error);
    return {};
  }

  std::unexpected<Error> gone(ErrorCode error) {
    keep_ = false;
    return fail(ErrorKind::unavailable, fmt::format("the connection broke: {}", error.message()));
  }

  void close_politely() {
    ErrorCode ignored;
    beast::get_lowest_layer(stream_).socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  Shared& shared_;
  Stream stream_;
  beast::flat_buffer buffer_{kLongestHeader + kReadAtOnce};
  std::optional<http::request_parser<http::buffer_body>> parser_;
  std::uint64_t left_ = 0;  // of the answer
  bool idle_ = false;       // on the strand only
  bool answered_ = false;
  bool wants_continue_ = false;
  bool keep_ = true;
};

class BeastServer final : public Server {
 public:
  BeastServer(const ServerSettings& settings, Handler handler)
      : shared_(settings, std::move(handler)),
        acceptor_(asio::make_strand(shared_.io)),
        pause_(acceptor_.get_executor()) {}
  ~BeastServer() override { end(); }  // NOLINT(bugprone-exception-escape): of a lock only, which is a bug

  Status listen() {
    const ServerSettings& settings = shared_.settings;
    auto wrong = [&](ErrorKind kind, std::string_view why) {
      return fail(kind, fmt::format("cannot serve at {}:{}: {}", settings.host, settings.port, why));
    };
    if (settings.certificate.empty() != settings.key.empty())
      return fail(ErrorKind::invalid, "TLS needs a certificate and its key: give both or none");
    ErrorCode error;
    if (!settings.certificate.empty()) {
      tls_.emplace(asio::ssl::context::tls_server);
      tls_->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
      tls_->use_certificate_chain_file(settings.certificate, error);
      if (error)
        return fail(ErrorKind::invalid,
                    fmt::format("{}: no certificate (PEM): {}", settings.certificate, error.message()));
      tls_->use_private_key_file(settings.key, asio::ssl::context::pem, error);
      if (error)
        return fail(ErrorKind::invalid,
                    fmt::format("{}: not the certificate's key (PEM): {}", settings.key, error.message()));
    }
    tcp::resolver resolver(shared_.io);
    const auto found = resolver.resolve(settings.host, fmt::to_string(settings.port), tcp::resolver::passive, error);
    if (error || found.empty()) return wrong(ErrorKind::invalid, error ? error.message() : "no such host");
    const tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error == boost::system::errc::address_in_use)
      return wrong(ErrorKind::conflict, "something serves there already; --port chooses another");
    if (error == boost::system::errc::permission_denied) return wrong(ErrorKind::denied, error.message());
    if (error) return wrong(ErrorKind::io, error.message());
    const auto port = acceptor_.local_endpoint(error).port();
    address_ = net::Url{.scheme = tls_ ? "https" : "http", .host = settings.host, .port = port, .path = {}}.origin();
    accept();
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { shared_.io.run(); });
    return {};
  }

  std::string address() const override { return address_; }

  void stop(std::chrono::seconds patience) override {
    std::unique_lock lock(shared_.mutex);
    shared_.stopping = true;
    asio::post(acceptor_.get_executor(), [this] {
      ErrorCode ignored;
      acceptor_.close(ignored);
      pause_.cancel();
    });
    for (Connection* each : shared_.open) each->leave_if_idle();
    shared_.changed.wait_for(lock, patience, [&] { return shared_.open.empty(); });
  }

 private:
  void accept() {
    acceptor_.async_accept(asio::make_strand(shared_.io), [this](ErrorCode error, tcp::socket socket) {
      if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
      if (error) {  // out of descriptors, say: others will be closed
        pause_.expires_after(std::chrono::milliseconds(100));
        pause_.async_wait([this](ErrorCode cancelled) {
          if (!cancelled) accept();
        });
        return;
      }
      bool room = false;
      {
        std::lock_guard lock(shared_.mutex);
        room = shared_.open.size() < shared_.settings.connections && !shared_.stopping;
      }
      if (room) {
        socket.set_option(tcp::no_delay(true), error);
        if (tls_)
          std::make_shared<StreamConnection<TlsStream>>(shared_, std::move(socket), *tls_)->begin();
        else
          std::make_shared<StreamConnection<PlainStream>>(shared_, std::move(socket))->begin();
      }
      accept();
    });
  }

  void end() {
    stop(std::chrono::seconds(0));
    {
      // Handlers that wait for their peers see the connection break, and end.
      std::unique_lock lock(shared_.mutex);
      for (Connection* each : shared_.open) each->cut();
      shared_.changed.wait_for(lock, std::chrono::seconds(30), [&] { return shared_.open.empty(); });
    }
    shared_.workers.join();
    shared_.io.stop();
    threads_.clear();
  }

  Shared shared_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::optional<asio::ssl::context> tls_;
  std::string address_;
  std::vector<std::jthread> threads_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const ServerSettings& settings, Handler handler) {
  auto server = std::make_unique<BeastServer>(settings, std::move(handler));
  KIST_TRY(server->listen());
  return server;
}

}  // namespace kist::serve
