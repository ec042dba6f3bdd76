#include <sys/eventfd.h>
#include <unistd.h>

#include "task/task.hpp"

namespace kist::task {

StopSignal::StopSignal() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void StopSignal::set(Stop how) {
  Stop known = how_.load();
  while (how > known)
    if (how_.compare_exchange_weak(known, how)) break;
  std::uint64_t one = 1;
  if (how != Stop::none) (void)!::write(event_.get(), &one, sizeof one);
}

Stop StopSignal::get() const {
  return how_.load();
}

}  // namespace kist::task
