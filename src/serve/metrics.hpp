// GET /metrics: what the runs of a home have measured, as Prometheus asks for it.
#pragma once

#include "catalog/catalog.hpp"
#include "serve/server.hpp"

namespace kist::serve {

inline constexpr const char* kMetricsPath = "/metrics";

// Both outlive the handler.
Handler metrics_handler(const catalog::Home& home, catalog::Catalog& catalog);

}  // namespace kist::serve
