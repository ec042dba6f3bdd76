// What runs have measured, for a system that watches many of them.
#include <nlohmann/json.hpp>

#include "cli/commands/table.hpp"
#include "cli/listing.hpp"
#include "engine/exposition.hpp"

namespace kist::cli {

namespace {

Json series_as_json(const catalog::Series& series) {
  Json item{{"name", series.name}, {"kind", to_string(series.kind)}, {"help", series.help}};
  item["labels"] = Json::object();
  for (const auto& [name, value] : series.labels) item["labels"][name] = value;
  if (series.kind != model::Metric::Kind::histogram) {
    item["value"] = series.value;
    if (!series.run.empty()) item["run"] = series.run;
    return item;
  }
  item["sum"] = series.value;
  item["count"] = series.count;
  item["buckets"] = Json::array();
  for (const auto& bucket : series.buckets)
    item["buckets"].push_back({{"upper_bound", bucket.bound}, {"count", bucket.count}});
  return item;
}

Result<int> print_metrics(Context& context, bool json) {
  KIST_TRY_ASSIGN(const catalog::Home* home, context.house.home());
  KIST_TRY_ASSIGN(catalog::Catalog * catalog, context.house.catalog());
  KIST_TRY_ASSIGN(const auto all, engine::current_metrics(*home, *catalog, now()));
  if (!json) {
    print(engine::prometheus_text(all));
    return 0;
  }
  Json array = Json::array();
  for (const auto& series : all) array.push_back(series_as_json(series));
  print_json(array);
  return 0;
}

}  // namespace

void declare_metrics(Arguments& arguments, Context& context) {
  auto json = std::make_shared<bool>(false);
  arguments.flag("--json", *json, "Print JSON");
  arguments.epilogue("Without --json in Prometheus' text format, as node_exporter's textfile collector reads it.");
  arguments.action([&context, json] { return print_metrics(context, *json); });
}

}  // namespace kist::cli
