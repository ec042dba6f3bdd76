#include "base/result.hpp"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace kist {
namespace {

ErrorKind kind_of(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return ErrorKind::not_found;
    case EEXIST:
    case ENOTEMPTY:
      return ErrorKind::conflict;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorKind::denied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ErrorKind::no_space;
    case EAGAIN:
    case EBUSY:
    case ETIMEDOUT:
      return ErrorKind::unavailable;
    case EINVAL:
    case ENAMETOOLONG:
      return ErrorKind::invalid;
    case EOPNOTSUPP:
    case ENOSYS:
      return ErrorKind::unsupported;
    default:
      return ErrorKind::io;
  }
}

}  // namespace

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid:
      return "invalid";
    case ErrorKind::not_found:
      return "not found";
    case ErrorKind::conflict:
      return "conflict";
    case ErrorKind::denied:
      return "denied";
    case ErrorKind::no_space:
      return "no space";
    case ErrorKind::corrupt:
      return "corrupt";
    case ErrorKind::unavailable:
      return "unavailable";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::io:
      return "input/output";
  }
  return "input/output";
}

std::unexpected<Error> fail_errno(std::string_view doing, int error_number) {
  return fail(kind_of(error_number), fmt::format("{}: {}", doing, std::strerror(error_number)));
}

std::unexpected<Error> fail_errno(std::string_view doing) {
  return fail_errno(doing, errno);
}

std::unexpected<Error> with_context(std::string_view context, Error error) {
  error.text = fmt::format("{}: {}", context, error.text);
  return std::unexpected(std::move(error));
}

}  // namespace kist
