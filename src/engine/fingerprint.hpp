// What a task does and with which inputs, as one digest: a task with the same one has done the same before, as far as a
// file says what it does.
//
// In it: the bound task (images by name, programs, variables, volumes of its own, what it saves and reads), parameters
// by way of these, input artifacts by the digests of their trees, texts, and values of secrets by their digests. Not in
// it: the names of the run and the node, where the dialect gives them to every program; times of files; what the
// machine has installed.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "model/record.hpp"
#include "task/task.hpp"

namespace kist::engine {

// The values of a secret by key; nullopt: there is none. Errors: it cannot be read.
using FindSecret = std::function<Result<std::optional<task::SecretValues>>(std::string_view name)>;

// `project`: the state of the project directory, asked only where it counts; nullopt: it cannot be told. nullopt where
// something that counts is not known before the task runs or is not in its outputs afterwards: it asks or answers over
// the network, fetches from or sends to places outside, shares volumes with others, saves while it runs, runs beside
// others as a daemon.
std::optional<std::string> fingerprint_of(const task::Document& document,
                                          const std::function<std::optional<Digest>()>& project,
                                          const FindSecret& secrets);

}  // namespace kist::engine
