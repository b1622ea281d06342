# fish completion of idemshim, which knows itself what could follow (idemshim complete).
# SPDX-License-Identifier: MIT

function __idemshim_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    for line in ($words[1] complete -- $words[2..-1] "$word" 2>/dev/null)
        switch $line
            case @files
                __fish_complete_path "$word"
            case @dirs
                __fish_complete_directories "$word"
            case '@program *'
                set -l at (math (string replace '@program ' '' -- $line) + 2)
                complete -C (string join ' ' -- $words[$at..-1] "$word")
            case '*'
                echo $line
        end
    end
end

complete -c idemshim -f -a '(__idemshim_complete)'
