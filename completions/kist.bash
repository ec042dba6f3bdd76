# bash completion for kist: source <(kist completion bash)

# The words of a line as the shell takes them, into `words`; into `quote` the one that is open at its end.
_kist_words() {
  local line=$1 word='' begun='' char
  words=() quote=''
  while [[ -n $line ]]; do
    char=${line:0:1} line=${line:1}
    if [[ $char == \\ && ( -z $quote || ( $quote == '"' && ${line:0:1} == [\\\"\$\`] ) ) ]]; then
      word+=${line:0:1} line=${line:1} begun=1
    elif [[ -n $quote ]]; then
      if [[ $char == "$quote" ]]; then quote=''; else word+=$char; fi
    elif [[ $char == [\'\"] ]]; then
      quote=$char begun=1
    elif [[ $char == [[:space:]] ]]; then
      [[ -n $begun ]] && words+=("$word")
      word='' begun=''
    else
      word+=$char begun=1
    fi
  done
  words+=("$word")
}

_kist_complete() {
  local candidate current cut='' quote
  local -a words
  _kist_words "${COMP_LINE:0:COMP_POINT}"
  current=${words[-1]}
  # What is offered goes behind the last of these signs, but for within quotes.
  [[ -z $quote ]] && cut=${current%"${current##*[:=]}"}
  COMPREPLY=()
  while IFS=$'\t' read -r candidate _; do
    case $candidate in
      //files) compopt -o default ;;
      //directories) compopt -o dirnames ;;
      *)
        candidate=${candidate#"$cut"}
        [[ -z $quote ]] && printf -v candidate %q "$candidate"
        COMPREPLY+=("$candidate")
        ;;
    esac
  done < <(kist __complete -- "${words[@]:1}" 2>/dev/null)
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=] ]] && compopt -o nospace
  return 0
}
complete -F _kist_complete kist
