"""Writes the manual page of dtui, made from the parsers of all commands.

Owns what of a text has a meaning to roff, and must be escaped.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence

from dtui.cli.command import Command
from dtui.version import __version__

Settings = Mapping[str, Sequence[object]]


def manual(opening: Command, commands: tuple[Command, ...], exit_codes: str, settings: Settings) -> str:
    """Return the manual page, for `man -l`; the same text for the same commands.

    Args:
        opening: What dtui does without the name of a command.
        commands: All others.
        exit_codes: What they mean, in one line.
        settings: What the configuration file may hold: the values of each key.
    """
    return "\n".join(_page(opening, commands, exit_codes, settings))


def _page(opening: Command, commands: tuple[Command, ...], exit_codes: str, settings: Settings) -> Iterator[str]:
    yield f'.TH DTUI 1 "" "dtui {_text(__version__)}" "User Commands"'
    yield ".nh"
    yield ".ad l"
    yield ".SH NAME"
    yield f"dtui \\- {_text(opening.summary[:1].lower() + opening.summary[1:].rstrip('.'))}"
    yield ".SH SYNOPSIS"
    for command in (opening, *commands):
        yield ".br"
        yield f".B {_text(_name(command))}"
        yield _text(_usage(command))
    yield ".SH OPTIONS"
    yield from _arguments(opening)
    yield ".SH COMMANDS"
    for command in commands:
        yield f".SS {_text(_name(command))}"
        yield _text(command.summary)
        yield ".PP"
        yield f".B {_text(_name(command))}"
        yield _text(_usage(command))
        yield from _arguments(command)
        yield from _examples(command)
    yield ".SH EXAMPLES"
    yield from _examples(opening)
    yield ".SH FILES"
    yield ".TP"
    yield ".I ~/.config/dtui/config.toml"
    named = [f"{name} ({', '.join(str(value).lower() for value in values)})" for name, values in settings.items()]
    yield _text(f"Defaults of the options on screen: {', '.join(named)}.")
    yield ".SH EXIT STATUS"
    yield _text(exit_codes)


def _name(command: Command) -> str:
    return f"dtui {command.name}".strip()


def _usage(command: Command) -> str:
    """Return the arguments of a command on one line, without its name."""
    parser = command.parser()
    formatter = argparse.HelpFormatter(parser.prog, width=10_000)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups, prefix="")
    return formatter.format_help().strip().removeprefix(f"{parser.prog} [-h]").strip()


def _arguments(command: Command) -> Iterator[str]:
    formatter = argparse.HelpFormatter(command.name, width=10_000)
    for action in command.parser()._actions:
        if action.dest == "help" or action.help == argparse.SUPPRESS:
            continue
        yield ".TP"
        yield f".B {_text(formatter._format_action_invocation(action))}"
        yield _text(formatter._expand_help(action))


def _examples(command: Command) -> Iterator[str]:
    for line, what in command.examples:
        yield ".TP"
        yield f".B {_text(line)}"
        yield _text(what)


def _text(text: str) -> str:
    """Return one line of text in which nothing has a meaning to roff."""
    line = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    line = "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in line)
    return f"\\&{line}" if line.startswith((".", "'")) else line
