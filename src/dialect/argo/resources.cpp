#include "dialect/argo/resources.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <thread>

#include <fmt/format.h>
#include <sys/sysinfo.h>

#include "base/quantity.hpp"

namespace kist::dialect::argo {
namespace {

constexpr std::string_view kLimits = "limits.";
constexpr std::string_view kRequests = "requests.";
constexpr std::string_view kProcessor = "cpu";
constexpr std::string_view kMemory = "memory";
constexpr std::string_view kDisk = "ephemeral-storage";
constexpr std::string_view kHugePages = "hugepages-";

std::string of_machine(std::string_view kind) {
  if (kind == kProcessor) return std::to_string(std::max(1U, std::thread::hardware_concurrency()));
  if (kind == kMemory) {
    struct sysinfo info{};
    if (sysinfo(&info) == 0) return std::to_string(std::uint64_t{info.totalram} * info.mem_unit);
  }
  if (kind == kDisk) {
    std::error_code error;
    const auto space = std::filesystem::space(std::filesystem::temp_directory_path(error), error);
    if (!error) return std::to_string(space.capacity);
  }
  return "0";  // huge pages are nobody's who does not ask for them
}

bool is_unset(const Scalar& amount) {
  const auto known = Quantity::parse(amount.text);
  return known && known->whole() == 0;
}

// The container that is asked for, nullptr: there is none of that name.
const Program* find_container(const Template& definition, std::string_view name) {
  if (is_task(definition.kind) && name == "main") return &definition.program;
  const std::vector<const Program*> all = programs_of(definition);
  const auto found =
      std::ranges::find_if(all, [&](const Program* each) { return each->name && each->name->text == name; });
  return found == all.end() ? nullptr : *found;
}

Status check_divisor(std::string_view kind, std::string_view divisor) {
  constexpr auto kOfProcessors = std::to_array<std::string_view>({"", "0", "1m", "1"});
  constexpr auto kOfBytes = std::to_array<std::string_view>(
      {"", "0", "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"});
  if (kind == kProcessor) {
    if (std::ranges::find(kOfProcessors, divisor) != kOfProcessors.end()) return {};
    return fail(ErrorKind::invalid, fmt::format("the divisor of {} must be 1m or 1, not '{}'", kind, divisor));
  }
  if (std::ranges::find(kOfBytes, divisor) != kOfBytes.end()) return {};
  return fail(ErrorKind::invalid, fmt::format("the divisor of {} must be one of 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, "
                                              "1Gi, 1Ti, 1Pi and 1Ei, not '{}'",
                                              kind, divisor));
}

}  // namespace

std::vector<const Program*> programs_of(const Template& definition) {
  std::vector<const Program*> all;
  if (is_task(definition.kind)) all.push_back(&definition.program);
  for (const auto* programs : {&definition.containers, &definition.initial, &definition.sidecars})
    for (const Program& program : *programs) all.push_back(&program);
  return all;
}

Result<Amount> amount_of(const Template& definition, const Program& program, const ResourceField& field) {
  const std::string_view resource = field.resource.text;
  const bool is_limit = resource.starts_with(kLimits);
  const std::string_view kind = is_limit                          ? resource.substr(kLimits.size())
                                : resource.starts_with(kRequests) ? resource.substr(kRequests.size())
                                                                  : std::string_view();
  if (kind != kProcessor && kind != kMemory && kind != kDisk && !kind.starts_with(kHugePages))
    return fail(ErrorKind::invalid,
                fmt::format("'{}' is no resource of a container: it must be cpu, memory, ephemeral-storage or "
                            "hugepages-SIZE behind 'limits.' or 'requests.'",
                            resource));
  const std::string divisor = field.divisor ? field.divisor->text : "";
  KIST_TRY(check_divisor(kind, divisor));
  const Program* asked = field.container ? find_container(definition, field.container->text) : &program;
  if (asked == nullptr)
    return fail(ErrorKind::invalid, fmt::format("there is no container '{}' in the pod", field.container->text));

  Amount amount;
  amount.in_units =
      model::InUnits{.unit = divisor.empty() || divisor == "0" ? "1" : divisor, .thousandths = kind == kProcessor};
  const auto limit = asked->resources.find(fmt::format("{}{}", kLimits, kind));
  const auto request = asked->resources.find(fmt::format("{}{}", kRequests, kind));
  const auto& none = asked->resources.end();
  const auto& found = is_limit || request == none ? limit : request;
  if (found != none && (!is_limit || !is_unset(found->second)))
    amount.written = found->second.text;
  else if (is_limit)
    amount.written = of_machine(kind);
  if (!amount.written.contains("{{"))
    if (auto read = Quantity::parse(amount.written); !read)
      return fail(ErrorKind::invalid, fmt::format("{}: {}", found->first, read.error().text));
  return amount;
}

}  // namespace kist::dialect::argo
