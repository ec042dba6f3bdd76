#include "task/stand_ins.hpp"

namespace kist::task {
namespace {

constexpr std::string_view kPython = R"sh(#!/bin/sh
exec python3 "$@"
)sh";

constexpr std::string_view kCowsay = R"sh(#!/bin/sh
# What it is told (its arguments, else its input), wrapped at 39 columns, said by a whale.
if [ $# -gt 0 ]; then text=$*; else text=$(cat); fi
lines=$(printf '%s\n' "$text" | fold -s -w 39 | sed 's/[[:space:]]*$//')
width=0
count=0
while IFS= read -r line; do
  count=$((count + 1))
  [ ${#line} -gt $width ] && width=${#line}
done <<END
$lines
END
edge=$(printf "%$((width + 2))s" '')
printf ' %s\n' "$(printf '%s' "$edge" | tr ' ' _)"
number=0
while IFS= read -r line; do
  number=$((number + 1))
  if [ $count -eq 1 ]; then left='<' right='>'
  elif [ $number -eq 1 ]; then left='/' right='\'
  elif [ $number -eq $count ]; then left='\' right='/'
  else left='|' right='|'
  fi
  printf '%s %s%*s %s\n' "$left" "$line" $((width - ${#line})) '' "$right"
done <<END
$lines
END
printf ' %s\n' "$(printf '%s' "$edge" | tr ' ' -)"
cat <<'END'
    \
     \      .   .
      \      \ /
        ______|__________      __ __
       /  o              \____/ // /
      |                       _   /
       \___      __________--' \_/
           \____/
END
)sh";

constexpr std::string_view kArgosay = R"sh(#!/bin/sh
# argosay [echo [TEXT [FILE]] | cat FILE... | sleep DURATION | exit [CODE] | sh FILE | assert_contains FILE TEXT]
set -eu
verb=${1:-echo}
[ $# -eq 0 ] || shift
case $verb in
  echo)
    if [ $# -ge 2 ]; then
      mkdir -p -- "$(dirname -- "$2")"
      printf '%s' "$1" > "$2"
    else
      printf '%s\n' "${1:-hello argo}"
    fi ;;
  cat) cat -- "$@" ;;
  sleep)
    case ${1:-0} in
      *ms) sleep "$(printf '%s' "${1%ms}" | sed 's/^/000/; s/\(.*\)\(...\)$/\1.\2/')" ;;
      *) sleep "${1:-0}" ;;
    esac ;;
  exit) exit "${1:-0}" ;;
  sh) exec sh "$@" ;;
  assert_contains)
    if grep -qF -- "$2" "$1"; then exit 0; fi
    printf '"%s" is not in %s\n' "$2" "$1" >&2
    exit 1 ;;
  *)
    printf 'usage: argosay [echo [TEXT [FILE]] | cat FILE... | sleep DURATION | exit [CODE] |\n' >&2
    printf '                sh FILE | assert_contains FILE TEXT]\n' >&2
    exit 1 ;;
esac
)sh";

}  // namespace

std::string_view stand_in(std::string_view program) {
  if (program == "python") return kPython;
  if (program == "cowsay") return kCowsay;
  return kArgosay;
}

std::string_view place_in_image(std::string_view program) {
  return program == "argosay" ? "/argosay" : "";
}

}  // namespace kist::task
