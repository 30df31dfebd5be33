"""``reconciler completion``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

# Typer holds its own copy of Click and offers no public way to it; the version of Typer has an upper bound for this.
from typer._click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from reconciler.cli import completers
from reconciler.cli.app import command_line
from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.terminal import Terminal
from reconciler.core.text import printable

app = command_app()


class Shell(StrEnum):
    """The supported shells."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


FILES = ":files"
"""The output that makes a script complete paths."""

_SCRIPTS = {
    Shell.BASH: """\
# Completion of reconciler for bash 4.4 or later. In ~/.bashrc: source <(reconciler completion bash)
_reconciler() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o default
        else
            COMPREPLY+=("$line")
        fi
    done < <("${COMP_WORDS[0]}" completion bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
}
complete -o nosort -F _reconciler reconciler
""",
    Shell.ZSH: """\
#compdef reconciler
# Completion of reconciler for zsh. In ~/.zshrc, after compinit: source <(reconciler completion zsh)
_reconciler() {
    local line
    local -a values shown
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            _files
            return
        fi
        values+=("${line%%$'\\t'*}")
        shown+=("${line/$'\\t'/  -- }")
    done < <("${words[1]}" completion zsh -- "${(@)words[2,CURRENT]}" 2> /dev/null)
    compadd -l -d shown -a values
}
if [[ ${funcstack[1]} == _reconciler ]]; then
    _reconciler "$@"
else
    compdef _reconciler reconciler
fi
""",
    Shell.FISH: """\
# Completion of reconciler for fish. reconciler completion fish > ~/.config/fish/completions/reconciler.fish
function __reconciler_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] completion fish -- $words[2..-1] 2> /dev/null)
        if test "$line" = :files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete --command reconciler --no-files --arguments '(__reconciler_complete)'
""",
}


@app.command(
    epilog=examples(
        "source <(reconciler completion bash)",
        "source <(reconciler completion zsh)",
        "reconciler completion fish > ~/.config/fish/completions/reconciler.fish",
    )
)
def completion(
    ctx: typer.Context,
    shell: Annotated[Shell, typer.Argument(help="The shell to complete in.")],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- WORD...]", help="The words to complete; passed by the script.", show_default=False),
    ] = None,
) -> ExitCode:
    """Print the script that completes commands in a shell.

    It completes commands and options, and what the stack here declares: addresses, drills, checks, providers, past
    runs. No service is queried for it.
    """
    terminal = Terminal.of(ctx)
    if words is None:
        terminal.write(_SCRIPTS[shell])
    else:
        terminal.write("".join(f"{line}\n" for line in candidates(terminal, shell, words)))
    return ExitCode.DONE


class _Resolver(ShellComplete):
    """Finds candidates; our own scripts split words and print the output."""

    def source_vars(self) -> dict[str, object]:
        return {}

    def get_completion_args(self) -> tuple[list[str], str]:
        return [], ""

    def format_completion(self, item: CompletionItem) -> str:
        return str(item.value)


def candidates(terminal: Terminal, shell: Shell, words: Sequence[str]) -> list[str]:
    """The candidates for the last word, one per line in the format of the shell's script."""
    *before, last = _joined(words) or [""]
    complete = [_unquoted(word) for word in before]
    completers.WORDS.set(tuple(complete[1:]))
    resolver = _Resolver(command_line(), {"obj": terminal}, "reconciler", "")
    found = resolver.get_completions(complete, _unquoted(last))
    known = [item for item in found if item.type == "plain"]
    if not known:
        return [FILES]
    return [_line(shell, item, last) for item in known]


def _joined(words: Sequence[str]) -> list[str]:
    """The words, with ``--option = value`` joined: bash splits them at ``=``."""
    made: list[str] = []
    for word in words:
        if made and word == "=" and made[-1].startswith("--"):
            made[-1] += "="
        elif made and made[-1].startswith("--") and made[-1].endswith("="):
            made[-1] += word
        else:
            made.append(word)
    return made


def _unquoted(word: str) -> str:
    """A word as the command would get it; a quote may still be open."""
    return "".join(split_arg_string(word))


def _line(shell: Shell, item: CompletionItem, word: str) -> str:
    value = str(item.value)
    if shell is Shell.BASH:
        typed = word.partition("=")[2] if word.startswith("--") else word
        return value if typed[:1] in ("'", '"') else re.sub(r"([^\w@%+=:,./-])", r"\\\1", value)
    return f"{value}\t{printable(item.help)}" if item.help else value
