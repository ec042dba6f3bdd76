# fish completion for kist: kist completion fish | source
function __kist_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in (kist __complete -- $words[2..] 2>/dev/null)
    switch $line
      case '//files*'
        __fish_complete_path (commandline -ct)
      case '//directories*'
        __fish_complete_directories (commandline -ct)
      case '*'
        printf '%s\n' $line
    end
  end
end
complete -c kist -f -a '(__kist_complete)'
