// A place where tasks are performed. The engine hands it documents and hears of their ends.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "task/task.hpp"

namespace kist::environment {

class Place {
 public:
  virtual ~Place() = default;  // waits for tasks under way; stop them first

  // Takes a task; says services.started() when its turn has come. `services` must live until `done` was called; `done`
  // is called exactly once, from a thread of the place.
  virtual void submit(task::Document document, task::TaskServices& services,
                      std::function<void(task::Outcome)> done) = 0;

  // Asks the task of this run's node (NodeNames::name) to end. Not an error where it has ended or waits: a waiting one
  // ends without being started.
  virtual void stop(std::string_view run, std::string_view node, task::Stop how) = 0;
};

// This machine: at most `slots` tasks at once, each in a thread of a pool; the others wait in the order they came.
std::unique_ptr<Place> make_local_place(const task::Tools& tools, int slots);

}  // namespace kist::environment
