# SPDX-License-Identifier: BSD-2-Clause
#
# fish completion of mailtoken(1); see the one of bash.

function __mailtoken_names --argument-names kind
    switch $kind
        case ACCOUNT ADDRESS
            timeout 2 mailtoken $argv[2..-1] --json status 2>/dev/null |
                string match --all --regex --groups-only \
                    '"account": *"([^"\\\\]*)"'
        case NAME
            mailtoken providers 2>/dev/null | string replace --regex ' .*' ''
        case VERB
            mailtoken help 2>/dev/null | string replace --filter \
                --regex '^  ([a-z]+) +' '$1\t'
        case FLOW
            printf '%s\n' device browser
        case LIST
            printf '%s\n' smtp imap pop
        case COMMAND
            __fish_complete_command
        case FILE PATH DIR
            __fish_complete_path (commandline --current-token)
        case '*'
            string match --regex '.*[a-z].*' -- $kind
    end
end

function __mailtoken
    set --local options --system --user --socket --json --help
    set --local kinds PATH
    set --local valued --socket
    set --local helper
    set --local verb
    set --local last
    set --local words
    set --local places
    set --local before
    set --local n 0
    for word in (commandline --cut-at-cursor --tokenize \
            --current-process)[2..-1]
        if test "$last" = --socket
            set helper --socket $word
        else if contains -- $word --system --user
            set helper $word
        else if not string match --quiet -- '-*' $word
            test -n "$verb" && set n 1 || set verb $word
        end
        set last $word
    end

    test -n "$verb" && for word in (mailtoken help -- $verb 2>/dev/null |
            sed '$d; s/^mailtoken [a-z]*//; s/[<>] [A-Z]*//g
                s/[][|]/ | /g; s/\.\.\.//g' |
            string split --no-empty ' ')
        if string match --quiet -- '--*' $word
            set --append options $word
        else if string match --quiet --regex '[a-z]' $word
            set --append words $word
        else if test $word != '|' && string match --quiet -- '--*' "$before"
            set --append valued $before
            set --append kinds $word
        else if test $word != '|'
            set --append places $word
        end
        set before $word
    end
    test -n "$verb" || set --append options --version

    if set --local at (contains --index -- "$last" $valued)
        set words $kinds[$at]
    else if string match --quiet -- '-*' (commandline --current-token)
        set words $options
    else if test -z "$verb"
        set words VERB
    else if test $n -gt 0 || test (count $words) -eq 0
        set words $places
    else if string match --quiet --regex '^(ACCOUNT|ADDRESS)$' $places
        set --append words ACCOUNT
    end
    for word in $words
        __mailtoken_names $word $helper
    end
end

complete --command mailtoken --no-files --arguments '(__mailtoken)'
