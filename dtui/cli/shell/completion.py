"""Makes the script that completes dtui in a shell from the parsers of all commands, by shtab; declares its command."""

from __future__ import annotations

import argparse

from dtui.cli.command import Command

SHELLS = ("bash", "zsh", "fish")
_PATHS = frozenset({"RUN", "PATH", "DIR", "OUT", "OUT.h5", "FILE"})
"""Names of arguments that are completed to files and folders."""


def completion_script(shell: str, opening: Command, commands: tuple[Command, ...]) -> str:
    """Return the script for a shell, the same for the same commands.

    Args:
        shell: One of `SHELLS`.
        opening: What dtui does without the name of a command.
        commands: All others.
    """
    import shtab

    from dtui.reports.sections import section_names

    whole = argparse.ArgumentParser(prog="dtui", description=opening.summary, allow_abbrev=False)
    for action in opening.parser()._actions:
        if action.option_strings and action.dest != "help":
            whole._add_action(action)
    chosen = whole.add_subparsers(metavar="COMMAND")
    for command in commands:
        command.add_arguments(chosen.add_parser(command.name, help=command.summary, description=command.summary))
    for parser in (whole, *chosen.choices.values()):
        for action in parser._actions:
            if action.metavar in _PATHS:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif "--section" in action.option_strings:  # asked here alone: the reports take long to import
                action.choices = section_names()
    return _with_paths(shell, str(shtab.complete(whole, shell=shell))).rstrip("\n")


def _with_paths(shell: str, script: str) -> str:
    """Let the first word also be a path, as in `dtui runs/mine`; shtab knows it as the name of a command alone."""
    if shell == "zsh":
        return script.replace(
            "_describe 'dtui commands' _commands\n", "_describe 'dtui commands' _commands\n  _files\n"
        )
    lines = {
        "bash": "_shtab_dtui_pos_0_COMPGEN=_shtab_compgen_files",
        "fish": "complete -c dtui -n __fish_use_subcommand -F",
    }
    return f"{script}\n{lines[shell]}\n"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=f"one of {', '.join(SHELLS)}")


COMMAND = Command(
    "completion",
    "Print the script that completes dtui's commands, options and paths in a shell.",
    (
        ("dtui completion bash", "into ~/.local/share/bash-completion/completions/dtui"),
        ("dtui completion zsh", "into a file _dtui in a folder of fpath"),
        ("dtui completion fish", "into ~/.config/fish/completions/dtui.fish"),
    ),
    "shell.about",
    _arguments,
)
