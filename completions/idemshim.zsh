#compdef idemshim
# zsh completion of idemshim, which knows itself what could follow (idemshim complete).
# SPDX-License-Identifier: MIT

_idemshim() {
  local line at
  local -a found
  for line in ${(f)"$(${(Q)words[1]} complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)"}; do
    case $line in
      @files) _files ;;
      @dirs) _files -/ ;;
      '@program '*)
        at=$((${line#@program } + 2))
        words=("${(@)words[at,-1]}")
        ((CURRENT -= at - 1))
        _normal
        ;;
      *) found+=("${line/$'\t'/:}") ;;
    esac
  done
  (( ! $#found )) || _describe idemshim found
}

_idemshim "$@"
