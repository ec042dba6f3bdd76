#include <charconv>
#include <csignal>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/commands/table.hpp"
#include "net/directory_objects.hpp"
#include "net/url.hpp"
#include "serve/metrics.hpp"
#include "serve/objects.hpp"
#include "serve/routes.hpp"
#include "serve/token.hpp"

namespace kist::cli {

namespace {

constexpr std::chrono::seconds kPatience{30};

struct ServeOptions {
  std::optional<std::string> host;
  std::optional<std::string> port;
  std::optional<std::string> certificate;
  std::optional<std::string> key;
  std::optional<std::string> token_file;
  std::optional<std::string> directory;
};

Result<serve::ServerSettings> settings_of(const ServeOptions& options) {
  serve::ServerSettings settings;
  settings.host = options.host.value_or(settings.host);
  settings.certificate = options.certificate.value_or("");
  settings.key = options.key.value_or("");
  if (options.port) {
    const std::string& text = *options.port;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), settings.port);
    if (error != std::errc() || end != text.data() + text.size())
      return fail(ErrorKind::invalid, fmt::format("--port {}: expected a number from 0 to 65535", text));
  }
  return settings;
}

// Where others find what listens everywhere: "0.0.0.0" leads each of them to itself.
std::string address_for_others(const std::string& listening, const std::string& host) {
  char name[256] = {};
  if ((host != "0.0.0.0" && host != "::") || ::gethostname(name, sizeof name - 1) != 0) return listening;
  auto url = net::parse_url(listening);
  if (!url) return listening;
  url->host = name;
  return url->origin();
}

Result<int> serve_objects(Context& context, const ServeOptions& options) {
  KIST_TRY_ASSIGN(const auto settings, settings_of(options));
  std::filesystem::path directory = options.directory.value_or("");
  std::filesystem::path token_file = options.token_file.value_or("");
  const catalog::Home* home = nullptr;  // a directory with a token of its own needs none
  if (directory.empty() || token_file.empty()) {
    KIST_TRY_ASSIGN(home, context.house.home());
    if (directory.empty()) directory = home->path() / "served";
    if (token_file.empty()) token_file = home->path() / "serve-token";
  }
  KIST_TRY_ASSIGN(const auto objects, net::open_directory_objects(directory, true));
  KIST_TRY_ASSIGN(auto token, serve::token_of(token_file));

  serve::Routes routes(std::move(token.text));
  routes.add(std::string(serve::kObjectsPath), serve::objects_handler(*objects));
  if (home != nullptr) {
    KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
    routes.add(serve::kMetricsPath, serve::metrics_handler(*home, *catalog));
  }

  // Before the server's threads begin, so that the signal comes to this one.
  sigset_t ends{};
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGINT);
  ::sigaddset(&ends, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  KIST_TRY_ASSIGN(const auto server, serve::Server::start(settings, std::move(routes)));

  print(fmt::format("serving {} at {}\n", objects->address(), server->address()));
  print(fmt::format("the token is in {}{}\n", token_file.string(), token.made ? ", made just now" : ""));
  print(fmt::format("elsewhere: KIST_TOKEN=… kist remote add NAME {}\n",
                    address_for_others(server->address(), settings.host)));
  flush_output();
  if (settings.certificate.empty() && !net::is_loopback(settings.host))
    fmt::print(stderr, "kist: without --tls-certificate, token and artifacts go over the network as they are\n");
  int signal = 0;
  ::sigwait(&ends, &signal);
  // A second signal ends the program at once.
  ::pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);
  context.tell("ending when the requests under way are answered");
  server->stop(kPatience);
  return 0;
}

}  // namespace

void declare_serve(Arguments& arguments, Context& context) {
  auto options = std::make_shared<ServeOptions>();
  arguments.option("--host", "HOST", options->host, "Where to listen: 127.0.0.1, or 0.0.0.0 for everybody");
  arguments.option("--port", "PORT", options->port, "2746; 0 takes any that is free");
  arguments.option("--tls-certificate", "FILE", options->certificate, "Serve HTTPS with this certificate (PEM)",
                   Completes::file);
  arguments.option("--tls-key", "FILE", options->key, "Its key (PEM)", Completes::file);
  arguments.option("--token-file", "FILE", options->token_file, "The token callers must bear; made where it is missing",
                   Completes::file);
  arguments.option("--directory", "DIR", options->directory,
                   "Serve the objects of this directory, not of $KIST_HOME/served", Completes::directory);
  arguments.action([&context, options] { return serve_objects(context, *options); });
}

}  // namespace kist::cli
