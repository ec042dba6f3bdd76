// The metrics of a home as they are now, and as Prometheus reads them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/engine.hpp"

namespace kist::engine {

// By name and labels. Those that grow have grown until now; those of a run that nobody owns any more are left out.
Result<std::vector<catalog::Series>> current_metrics(const catalog::Home& home, catalog::Catalog& catalog, Time now);

// Prometheus' text format 0.0.4.
std::string prometheus_text(std::span<const catalog::Series> series);
inline constexpr const char* kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace kist::engine
