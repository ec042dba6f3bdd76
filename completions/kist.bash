# bash completion for kist: source <(kist completion bash)
_kist_complete() {
  local line=${COMP_LINE:0:COMP_POINT} candidate current cut
  local -a words
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=${words[-1]}
  cut=${current%"${current##*[:=]}"}
  COMPREPLY=()
  while IFS=$'\t' read -r candidate _; do
    case $candidate in
      //files) compopt -o default ;;
      //directories) compopt -o dirnames ;;
      *) COMPREPLY+=("${candidate#"$cut"}") ;;
    esac
  done < <(kist __complete -- "${words[@]:1}" 2>/dev/null)
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=] ]] && compopt -o nospace
  return 0
}
complete -F _kist_complete kist
