#include "serve/metrics.hpp"

#include "engine/exposition.hpp"
#include "serve/routes.hpp"

namespace kist::serve {

Handler metrics_handler(const catalog::Home& home, catalog::Catalog& catalog) {
  return [&home, &catalog](Exchange& exchange) {
    if (exchange.method != "GET" && exchange.method != "HEAD") {
      (void)answer_error(exchange, 405, {ErrorKind::invalid, "metrics can be got only"}, {{"allow", "GET, HEAD"}});
      return;
    }
    const auto all = engine::current_metrics(home, catalog, now());
    if (!all) {
      (void)answer_error(exchange, all.error());
      return;
    }
    (void)exchange.answer(200, {{"content-type", engine::kPrometheusType}}, engine::prometheus_text(*all));
  };
}

}  // namespace kist::serve
