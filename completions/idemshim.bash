# bash completion of idemshim, which knows itself what could follow (idemshim complete).
# SPDX-License-Identifier: MIT

_idemshim() {
  local word=$2 line
  COMPREPLY=()
  while IFS= read -r line; do
    line=${line%%$'\t'*}
    case $line in
      @files | @dirs)
        compopt -o filenames
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -"${line:1:1}" -- "$word")
        ;;
      '@program '*)
        if declare -F _command_offset >/dev/null; then
          _command_offset $((${line#@program } + 1))
        else
          mapfile -t COMPREPLY < <(compgen -c -- "$word")
        fi
        ;;
      *) COMPREPLY+=("$line") ;;
    esac
  done < <("$1" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}

complete -F _idemshim idemshim
