"""The rim of every job: flags into settings, errors into one line each, results into exit codes."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from mili_core.errors import ConfigError, MiliError
from pipeline.storage import local_path
from pipeline.termination import Terminated, terminable

EXIT_DONE = 0
EXIT_CRASH = 1
EXIT_USAGE = 2
EXIT_PARTIAL = 3
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
EXIT_TERMINATED = 143  # 128 + SIGTERM

GO_ON = "run the same command again to go on"
NO_SHORTCUTS: Mapping[str, str] = {}
Config = TypeVar("Config", bound=BaseSettings)
Problem = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One setting: its dotted path, what it says of itself, whether a switch or of several values, and all choices."""

    path: str
    text: str
    switch: bool = False
    many: bool = False
    choices: tuple[str, ...] = ()


def guarded(
    job: Callable[[], int],
    *,
    debug: bool = False,
    shortcuts: Mapping[str, str] = NO_SHORTCUTS,
    advice: str = GO_ON,
) -> int:
    """Gives the exit code of a job; whatever goes wrong is said on stderr in one line a problem.

    Args:
        job: does the work and returns its exit code.
        debug: show tracebacks as well.
        shortcuts: of `parse_config`, by which problems of settings are named.
        advice: what to do after the job was stopped from outside.
    """
    try:
        with terminable():
            return job()
    except SystemExit as end:  # argparse ends --help this way
        return end.code if isinstance(end.code, int) else EXIT_USAGE
    except KeyboardInterrupt as error:
        terminated = isinstance(error, Terminated)
        line = f"{'terminated' if terminated else 'interrupted'}; {advice}"
        return _fail([line], EXIT_TERMINATED if terminated else EXIT_INTERRUPTED, debug=debug)
    except ValidationError as error:
        return _fail(validation_lines(error, shortcuts), EXIT_USAGE, debug=debug)
    except MiliError as error:
        return _fail(str(error).splitlines(), EXIT_USAGE, debug=debug)
    except Exception as error:  # noqa: BLE001 - the last guard: a crash is one line and exit code 1
        message = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        return _fail([f"crashed with {message}; --debug shows where"], EXIT_CRASH, debug=debug)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, for `guarded` to show, in place of the usage and an exit."""

    def error(self, message: str) -> NoReturn:
        """Raises ConfigError."""
        raise ConfigError(f"{' '.join(message.split())}; --help lists all flags")


def job_parser(job: str, description: str | None) -> Parser:
    """Gives the parser of a job with plain flags, --debug among them.

    Args:
        job: its name with dashes.
        description: the job module's docstring.
    """
    parser = Parser(prog=f"mili {job}", description=description, allow_abbrev=False)
    add_debug(parser)
    return parser


def output_folder(text: str) -> Path:
    """Gives the local folder that a flag names, as an argparse type."""
    try:
        return local_path(text)
    except MiliError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Adds --debug, which `run_job` looks for in the command line itself; for the parsers of subcommands."""
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks")


def run_job(
    job: Callable[[argparse.Namespace], int],
    parser: Parser,
    argv: Sequence[str] | None,
    *,
    advice: str = GO_ON,
) -> int:
    """Gives the exit code of a job with plain flags.

    Args:
        job: takes the parsed flags, does the work and returns its exit code.
        parser: from `job_parser`.
        argv: arguments without the program's name; None takes the process's.
        advice: of `guarded`.
    """
    arguments = sys.argv[1:] if argv is None else argv
    return guarded(lambda: job(parser.parse_args(arguments)), debug="--debug" in arguments, advice=advice)


def parse_config(
    settings: type[Config],
    arguments: Sequence[str],
    *,
    prog: str,
    shortcuts: Mapping[str, str],
    positional: str | None = None,
) -> Config:
    """Gives the settings that a command line asks for, over the environment, a YAML file and the defaults.

    Args:
        settings: the model; every setting has the flag --group.name, with dashes for underscores.
        arguments: without the program's name.
        prog: the program's name in --help.
        shortcuts: further flags, without dashes in front, to dotted paths of settings.
        positional: dotted path of the setting that takes the plain arguments.

    Raises:
        ConfigError: an unknown flag or MILI_* variable, all of them, one a line.
        pydantic.ValidationError: a setting is unknown, missing or out of range.
        SystemExit: --help was asked for.
    """
    leaves = {leaf.path: leaf for leaf in _leaves(settings)}
    parser = _parser(settings, leaves, prog, shortcuts, positional)
    values, unknown = parser.parse_known_intermixed_args(arguments)
    problems = [*_unknown_flags(unknown, parser), *_unknown_variables(settings)]
    if problems:
        raise ConfigError("\n".join(problems))
    return settings(**_nested(vars(values)))


def validation_lines(error: ValidationError, shortcuts: Mapping[str, str] = NO_SHORTCUTS) -> list[str]:
    """Gives one line for each problem: the setting and its flag, what is wrong, and the value."""
    flags = {path: f"--{name} ({path})" for name, path in shortcuts.items()}
    return [_line(problem, flags) for problem in error.errors(include_url=False)]


def _line(problem: Problem, flags: Mapping[str, str]) -> str:
    location = problem["loc"]
    path = ".".join(str(part) for part in location) if isinstance(location, tuple) else str(location)
    name = flags.get(path, path)
    kind, message = str(problem["type"]), str(problem["msg"]).removeprefix("Value error, ")
    if kind == "missing":
        return f"{name}: missing; give it on the command line (--help), in the environment or in the --config file"
    if kind in {"extra_forbidden", "unexpected_keyword_argument"}:
        return f"{name}: no such setting; --help lists them all"
    if kind in {"value_error", "too_short"}:
        return f"{name}: {message}" if name else message
    if kind == "literal_error" and isinstance(context := problem.get("ctx"), Mapping):
        return f"{name}: {problem['input']!r} is not {context['expected']}"
    return f"{name}: {message}, got {problem['input']!r}"


def _fail(lines: Sequence[str], code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    for line in lines:
        print(f"error: {line}", file=sys.stderr)
    return code


def _parser(
    settings: type[BaseSettings],
    leaves: Mapping[str, _Leaf],
    prog: str,
    shortcuts: Mapping[str, str],
    positional: str | None,
) -> Parser:
    parser = Parser(
        prog=prog,
        usage=f"{prog} {f'{positional.upper()} ... ' if positional else ''}[flags]",
        description=settings.__doc__,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        epilog="exit codes: 0 done, 1 crash, 2 unusable input or usage, 3 partial, 130 interrupted, 143 terminated",
    )
    groups: dict[str, argparse._ArgumentGroup] = {}
    for path, leaf in leaves.items():
        if path == positional:
            parser.add_argument(path, nargs="*", metavar=path.upper(), help=leaf.text)
            continue
        group = path.rpartition(".")[0]
        target = groups.setdefault(group, parser.add_argument_group(group)) if group else parser
        flags = [f"--{_dashed(path)}", *(f"--{name}" for name, to in shortcuts.items() if to == path)]
        if leaf.switch:
            target.add_argument(*flags, dest=path, action=argparse.BooleanOptionalAction, help=leaf.text)
        else:
            action = "append" if leaf.many else "store"
            shown = "{" + ",".join(leaf.choices) + "}" if leaf.choices else "VALUE"
            target.add_argument(*flags, dest=path, action=action, metavar=shown, help=leaf.text)
    return parser


def _leaves(model: type[object], prefix: str = "") -> Iterator[_Leaf]:
    """Gives every setting of a model, those of its groups included."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            yield from _field_leaves(f"{prefix}{name}", field)
    elif dataclasses.is_dataclass(model):
        said = _attribute_sentences(model)
        for each in dataclasses.fields(model):
            text = f"{said.get(each.name, '')} (default: {each.default})".strip()
            yield _Leaf(f"{prefix}{each.name}", text.replace("%", "%%"))


def _attribute_sentences(model: type[object]) -> dict[str, str]:
    """Gives the first sentence that the docstring of a dataclass has about each of its attributes."""
    section = (inspect.getdoc(model) or "").partition("Attributes:")[2]
    entries = re.findall(r"^ {4}(\w+): (.+?)(?=^ {4}\w|\Z)", section, re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()).partition(". ")[0].rstrip(".") for name, text in entries}


def _field_leaves(path: str, field: FieldInfo) -> Iterator[_Leaf]:
    annotation = field.annotation
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation)):
        yield from _leaves(annotation, f"{path}.")
        return
    default = "" if field.is_required() or field.default in (None, ()) else f" (default: {field.default})"
    text = f"{field.description or ''}{default}".replace("%", "%%")
    many = tuple in {get_origin(annotation), *map(get_origin, get_args(annotation))}
    literals = [each for each in (annotation, *get_args(annotation)) if get_origin(each) is Literal]
    choices = tuple(str(value) for each in literals for value in get_args(each))
    yield _Leaf(path, text, switch=annotation is bool, many=many, choices=choices)


def _unknown_flags(unknown: Sequence[str], parser: argparse.ArgumentParser) -> Iterator[str]:
    known = [flag for action in parser._actions for flag in action.option_strings]  # noqa: SLF001 - no public list
    for text in unknown:
        if text.startswith("-"):
            flag = text.partition("=")[0]
            yield f"unknown flag {flag}{_suggestion(flag, known)}; --help lists them all"
    if unknown and not any(text.startswith("-") for text in unknown):
        yield f"unexpected argument {unknown[0]!r}; --help shows the usage"


def _unknown_variables(settings: type[BaseSettings]) -> Iterator[str]:
    """Gives a line for each environment variable with our prefix that names no setting or group of settings."""
    prefix, joint = settings.model_config["env_prefix"], settings.model_config["env_nested_delimiter"] or "__"
    paths = [leaf.path.split(".") for leaf in _leaves(settings)]
    known = {prefix + joint.join(path[:depth]).upper() for path in paths for depth in range(1, len(path) + 1)}
    for name in sorted(os.environ):
        if name.upper().startswith(prefix) and name.upper() not in known:
            yield f"unknown environment variable {name}{_suggestion(name.upper(), sorted(known))}; unset it"


def _suggestion(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f" (did you mean {near[0]}?)" if near else ""


def _nested(flat: Mapping[str, object]) -> dict[str, Any]:  # Any: values of every setting
    """Gives {"a": {"b": 1}} for {"a.b": 1}; an empty list of plain arguments counts as not given."""
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        if value == []:
            continue
        *groups, name = path.split(".")
        target = nested
        for group in groups:
            target = target.setdefault(group, {})
        target[name] = value
    return nested


def _dashed(path: str) -> str:
    return path.replace("_", "-")
