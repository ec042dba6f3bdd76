#include <fmt/format.h>

#include "task/task.hpp"

namespace kist::task {

std::string_view to_string(Stream stream) {
  switch (stream) {
    case Stream::output:
      return "stdout";
    case Stream::error:
      return "stderr";
    case Stream::kist:
      break;
  }
  return "kist";
}

Result<SecretValues> TaskServices::secret(std::string_view name) {
  return fail(ErrorKind::not_found,
              fmt::format("there is no secret '{}': add it with `kist secrets add {} KEY`", name, name));
}

Result<std::vector<std::string>> TaskServices::keys_below(std::string_view key) {
  return fail(ErrorKind::unsupported, fmt::format("the default repository cannot be listed here (below '{}')", key));
}

Result<TaskServices::ActedOn> TaskServices::act_on_object(const model::ObjectRequest& request) {
  return fail(ErrorKind::unsupported, fmt::format("objects cannot be acted on here ({})", request.action.source()));
}

}  // namespace kist::task
