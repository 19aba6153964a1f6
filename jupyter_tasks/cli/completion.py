"""``jupyter tasks completion``: scripts that complete both ``jupyter-tasks`` and ``jupyter tasks``.

Owns these scripts. They ask the program itself, by click's protocol. What completed ``jupyter`` before goes on doing so
for every other subcommand.
"""

from __future__ import annotations

import click

__all__ = ["completion_command"]

_BASH = r"""
_jupyter_tasks_ask() {
    local IFS=$'\n' line kind value
    COMPREPLY=()
    while read -r line; do
        kind=${line%%,*} value=${line#*,}
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(COMP_WORDS="$1" COMP_CWORD="$2" _JUPYTER_TASKS_COMPLETE=bash_complete jupyter-tasks 2>/dev/null)
}
_jupyter_tasks() {
    local IFS=$'\n'
    _jupyter_tasks_ask "${COMP_WORDS[*]}" "$COMP_CWORD"
}
_jupyter_with_tasks() {
    local IFS=$'\n'
    if [[ ${COMP_WORDS[1]} == tasks && $COMP_CWORD -gt 1 ]]; then
        _jupyter_tasks_ask "jupyter-tasks${IFS}${COMP_WORDS[*]:2}" $((COMP_CWORD - 1))
    elif [[ -n $_jupyter_before_tasks ]]; then
        unset IFS
        "$_jupyter_before_tasks" "$@"
    elif [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W tasks -- "${COMP_WORDS[1]}"))
    fi
}
_jupyter_before_tasks=$(complete -p jupyter 2>/dev/null | sed -n 's/.*-F \([^ ]*\).*/\1/p')
[[ $_jupyter_before_tasks == _jupyter_with_tasks ]] && _jupyter_before_tasks=
complete -o nosort -F _jupyter_tasks jupyter-tasks
complete -o nosort -F _jupyter_with_tasks jupyter
"""

_ZSH = r"""
#compdef jupyter-tasks
_jupyter_tasks_ask() {
    local -a plain described answer
    local kind value help
    answer=("${(@f)$(COMP_WORDS="$1" COMP_CWORD="$2" _JUPYTER_TASKS_COMPLETE=zsh_complete jupyter-tasks 2>/dev/null)}")
    for kind value help in $answer; do
        case $kind in
            plain) if [[ $help == _ ]]; then plain+=("$value"); else described+=("$value:$help"); fi ;;
            dir) _path_files -/ ;;
            file) _path_files -f ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described -U
    (( $#plain )) && compadd -U -V unsorted -a plain
}
_jupyter_tasks() { _jupyter_tasks_ask "${(pj:\n:)words}" $((CURRENT - 1)) }
_jupyter_with_tasks() {
    if [[ ${words[2]} == tasks && $CURRENT -gt 2 ]]; then
        local -a rest=(jupyter-tasks "${(@)words[3,-1]}")
        _jupyter_tasks_ask "${(pj:\n:)rest}" $((CURRENT - 2))
    elif [[ -n $_jupyter_before_tasks ]]; then
        $_jupyter_before_tasks
    elif (( CURRENT == 2 )); then
        compadd tasks
    fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
[[ ${_comps[jupyter]} != _jupyter_with_tasks ]] && _jupyter_before_tasks=${_comps[jupyter]}
compdef _jupyter_tasks jupyter-tasks
compdef _jupyter_with_tasks jupyter
"""

_FISH = r"""
function __jupyter_tasks_ask
    set -l words (commandline -opc) (commandline -ct)
    if test "$words[1]" = jupyter
        set words jupyter-tasks $words[3..-1]
    end
    set -l answer (env _JUPYTER_TASKS_COMPLETE=fish_complete COMP_WORDS="$(string join \n -- $words)" \
        COMP_CWORD=(commandline -ct) jupyter-tasks 2>/dev/null)
    for line in $answer
        set -l parts (string split -m 1 "," -- $line)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                echo $parts[2]
        end
    end
end
complete -c jupyter-tasks --no-files -a '(__jupyter_tasks_ask)'
complete -c jupyter -n '__fish_use_subcommand' -a tasks -d 'Hand a prompt to a coding agent'
complete -c jupyter --no-files -n '__fish_seen_subcommand_from tasks' -a '(__jupyter_tasks_ask)'
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_SCRIPTS)))
def completion_command(shell: str) -> None:
    """Print a completion script for your shell.

    \b
    bash: add to ~/.bashrc:  eval "$(jupyter tasks completion bash)"
    zsh:  add to ~/.zshrc:   eval "$(jupyter tasks completion zsh)"
    fish: jupyter tasks completion fish > ~/.config/fish/conf.d/jupyter-tasks.fish
    """
    click.echo(_SCRIPTS[shell].strip())
