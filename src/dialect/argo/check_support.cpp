// What the model can say and no floor acts on yet.
#include "dialect/argo/check.hpp"

namespace kist::dialect::argo {

void check_support(const Spec& spec, Report& report) {
  for (const Template& each : spec.templates) {
    report.enter(each.key);
    const std::string where = where_of(each);
    if (each.kind == Template::Kind::resource) report.unsupported(each.mark, "resource", where);
    if (each.target && each.target->text.contains("{{"))
      report.unsupported(each.mark, "a target with {{…}}", where + ".dag");
  }
  report.enter("");
}

}  // namespace kist::dialect::argo
