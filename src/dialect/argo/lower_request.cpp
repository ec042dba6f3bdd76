// What kist does by itself: asking a web server, listing a location, acting on objects it knows, waiting for people.
#include <algorithm>
#include <utility>

#include "dialect/argo/artifacts.hpp"
#include "dialect/argo/lower.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

model::HttpRequest lower_http(const HttpSpec& http) {
  model::HttpRequest request;
  if (http.url) request.url = make_text(http.url->text);
  request.method = make_text(http.method && !http.method->text.empty() ? http.method->text : "GET");
  for (const HttpSpec::Header& header : http.headers) {
    model::HttpRequest::Header& lowered = request.headers.emplace_back();
    lowered.name = header.name.text;
    if (const auto* value = std::get_if<Scalar>(&header.value)) {
      lowered.value = make_text(value->text);
    } else {
      const auto& selector = std::get<KeySelector>(header.value);
      lowered.value =
          model::SecretReference{make_text(selector.name.text), make_text(selector.key.text), selector.optional};
    }
  }
  if (http.body) request.body = make_text(http.body->text);
  if (http.timeout && *http.timeout > 0) request.timeout = std::chrono::seconds(*http.timeout);
  request.insecure = http.insecure;
  if (http.success_condition) request.success_condition = make_text(http.success_condition->text);
  return request;
}

model::ObjectRequest lower_resource(const Spec& spec, const Template& definition) {
  const ResourceSpec& resource = definition.resource;
  model::ObjectRequest request;
  if (resource.action) request.action = make_text(resource.action->text);
  if (resource.manifest) request.manifest = make_text(resource.manifest->text);
  if (const auto& from = resource.manifest_from) {
    // An input of that name, unless it says itself where it lies.
    if (from->has_location() || from->from || from->expression)
      request.manifest_from = artifact_source(*from, spec.repository);
    else
      request.manifest_from =
          model::ArtifactReference{.name = model::Text::literal("inputs.artifacts." + from->name.text)};
  }
  if (resource.merge_strategy) request.merge_strategy = resource.merge_strategy->text;
  for (const Scalar& flag : resource.flags) request.flags.push_back(make_text(flag.text));
  request.owned = resource.owned;
  if (resource.success_condition) request.success_condition = make_text(resource.success_condition->text);
  if (resource.failure_condition) request.failure_condition = make_text(resource.failure_condition->text);
  for (const Parameter& parameter : definition.outputs.parameters)
    if (parameter.json_path || parameter.jq_filter)
      request.outputs.push_back({parameter.name.text, parameter.json_path ? parameter.json_path->text : "",
                                 parameter.jq_filter ? parameter.jq_filter->text : ""});
  return request;
}

}  // namespace

model::Task lower_request(const Spec& spec, const Template& definition, const Report& report) {
  model::Task task;
  model::Action action;
  action.origin = report.origin(definition.mark);
  if (definition.kind == Template::Kind::http) {
    action.title = "http";
    action.what = lower_http(definition.http);
  } else if (definition.kind == Template::Kind::data) {
    action.title = "data";
    model::ListRequest request;
    if (definition.data.source && definition.data.source->place)
      if (auto location = lower_place(*definition.data.source->place, spec.repository, {}, true))
        request.location = std::move(*location);
    for (const Scalar& expression : definition.data.transformations)
      request.transformations.push_back(make_text(expression.text));
    action.what = std::move(request);
  } else {
    action.title = "resource";
    action.what = lower_resource(spec, definition);
  }
  task.actions.push_back(std::move(action));
  for (const Parameter& parameter : definition.outputs.parameters) {
    if (!parameter.value) continue;
    model::Read constant{.parameter = parameter.name.text, .path = {}, .fallback = make_text(parameter.value->text)};
    if (parameter.global) constant.global = make_text(parameter.global->text);
    model::Action& given = task.actions.emplace_back();
    given.title = parameter.name.text;
    given.origin = report.origin(parameter.mark);
    given.what = std::move(constant);
  }
  task.capture_result = true;
  return task;
}

model::Gate lower_suspend(const Template& definition) {
  model::Gate gate;
  if (definition.duration) gate.duration = make_text(definition.duration->text);
  for (const Parameter& parameter : definition.outputs.parameters) {
    if (!parameter.supplied && !parameter.value) continue;
    model::Gate::Supplied& supplied = gate.supplied.emplace_back();
    supplied.name = parameter.name.text;
    if (parameter.global) supplied.global = make_text(parameter.global->text);
    if (parameter.value)
      supplied.fallback = make_text(parameter.value->text);
    else if (parameter.absent)
      supplied.fallback = make_text(parameter.absent->text);
    // A form for people: the input of the same name says what may be chosen.
    const auto input = std::ranges::find_if(
        definition.inputs.parameters, [&](const Parameter& each) { return each.name.text == parameter.name.text; });
    const auto& allowed =
        parameter.allowed || input == definition.inputs.parameters.end() ? parameter.allowed : input->allowed;
    if (allowed)
      for (const Scalar& value : *allowed) supplied.allowed.push_back(value.text);
  }
  return gate;
}

}  // namespace kist::dialect::argo
