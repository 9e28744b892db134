"""Which files a project is made of, which variables they see, and what the project is called (compose-semantics.md, section A and rule 40).

Everything here reads the disk; nothing here reads the environment of the process, which is an argument.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from migrate.description import description
from migrate.findings import Action, Span, Unusable
from migrate.patterns import late

from .envfile import EnvFile, parse_env
from .faults import Log
from .interpolate import Lookup, lookup_in

NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES: Final = ("compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml")
_TRUE_WORDS: Final = ("1", "t", "T", "TRUE", "true", "True")


LARGEST_FILE: Final = 10 << 20
"""Bytes of a file that is read as Compose or env text; far more than any that people write."""


class FileFault(Exception):
    """A file that cannot be read as text; `kind` is a fault class."""

    def __init__(self, kind: str, message: str, span: Span) -> None:
        self.kind = kind
        self.message = message
        self.span = span
        super().__init__(message)


def read_text(path: str, shown: str) -> str:
    """The text of a file (UTF-8, with or without a mark). Raises FileFault for what is none.

    A directory, FIFO, socket or device (but the null device) is refused by name and never opened.
    """
    span = Span(file=shown, line=1, column=1)
    try:
        _refuse_others(os.stat(path).st_mode, path, shown, span)  # noqa: PTH116
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            _refuse_others(os.fstat(file.fileno()).st_mode, path, shown, span)
            data = file.read(LARGEST_FILE + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise FileFault("file-missing", f"file {shown} not found", span) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise FileFault("file-missing", f"file {shown} cannot be read: {reason}", span) from None
    return decoded(data, shown)


def _refuse_others(mode: int, path: str, shown: str, span: Span) -> None:
    """What is no regular file; asked again of the open file, because the name may have come to mean another."""
    if not stat.S_ISREG(mode) and path != os.devnull:
        what = next((what for test, what in _KINDS if test(mode)), "no regular file")
        raise FileFault("file-missing", f"{shown} is {what}, not a file", span)


_KINDS: Final = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def decoded(data: bytes, shown: str) -> str:
    """Bytes as text. Raises FileFault for too many, and with the place of the first byte that is no UTF-8."""
    if len(data) > LARGEST_FILE:
        span = Span(file=shown, line=1, column=1)
        raise FileFault("file-missing", f"file {shown} has more than {LARGEST_FILE >> 20} MiB and is not read", span)
    form = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(form)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(form, "ignore")
        span = Span(file=shown, line=before.count("\n") + 1, column=len(before) - before.rfind("\n"))
        what = f"{shown} is not {form.removesuffix('-sig').upper()} text (byte {data[error.start]:#04x})"
        raise FileFault("yaml-syntax", what, span) from None


@description
class Place:
    """A file that counts as Compose text: its absolute path (empty for standard input) and how messages name it."""

    path: str
    shown: str


class Names:
    """How messages name a file: relative to the working directory if below it."""

    def __init__(self, directory: str) -> None:
        self._prefix = directory.rstrip("/") + "/"

    def shown(self, path: str) -> str:
        """The name of an absolute path."""
        return path.removeprefix(self._prefix)


@description
class Surroundings:
    """What the files of a project see: base directory, files in order, variables, and the env files that were read."""

    directory: str
    files: tuple[Place, ...]
    lookup: Lookup
    variables: Mapping[str, str]
    env_files: tuple[Path, ...]


def surroundings(
    files: Sequence[str],
    *,
    directory: str,
    environment: Mapping[str, str],
    env_files: Sequence[str],
    project_directory: str | None,
    log: Log,
) -> Surroundings:
    """Find the files of a project (rules 1 to 4, 40). Raises Unusable if there are none."""
    names = Names(directory)
    base = _join(directory, project_directory) if project_directory else None
    if base is None and files and files[0] != "-":
        base = _folder(_join(directory, files[0]))
    given = [_join(directory, file) for file in env_files or _listed(environment.get("COMPOSE_ENV_FILES", ""), ",")]
    dotenv, read = environment_of(given, base or directory, environment, names, log)
    here = {"PWD": os.path.abspath(directory)}  # noqa: PTH100 - as it is written: symlinks stay
    lookup = lookup_in(environment, dotenv, here)
    chosen = list(files) or _from_variable(lookup)
    places = _given(chosen, directory, names) if chosen else _discovered(directory, names, log)
    if base is None:
        first = places[0].path
        base = _folder(first) if first else directory
        if base != directory and not given:
            dotenv, read = environment_of((), base, environment, names, log)
            lookup = lookup_in(environment, dotenv, here)
    return Surroundings(directory=base, files=tuple(places), lookup=lookup, variables=dotenv, env_files=tuple(read))


def _folder(path: str) -> str:
    return os.path.dirname(path) or "/"  # noqa: PTH120


def _join(directory: str, path: str) -> str:
    return os.path.normpath(os.path.join(directory, path))  # noqa: PTH118


def _listed(text: str, separator: str) -> list[str]:
    return [part for part in text.split(separator) if part]


def _from_variable(lookup: Lookup) -> list[str]:
    return _listed(lookup("COMPOSE_FILE") or "", lookup("COMPOSE_PATH_SEPARATOR") or ":")


def _given(files: Iterable[str], directory: str, names: Names) -> list[Place]:
    return [Place(path="", shown="-") if file == "-" else _place(_join(directory, file), names) for file in files]


def _place(path: str, names: Names) -> Place:
    return Place(path=path, shown=names.shown(path))


def _discovered(directory: str, names: Names, log: Log) -> list[Place]:
    """The first of the known names in the directory or the nearest parent, and its override file."""
    folder = directory
    while True:
        found = [name for name in NAMES if os.path.isfile(os.path.join(folder, name))]  # noqa: PTH113, PTH118
        if found:
            break
        if folder == _folder(folder):
            log.add("file-missing", f"no Compose file found; looked for {', '.join(NAMES)} here and in the parents", span=None)
            raise Unusable(log.told())
        folder = _folder(folder)
    places = [_place(os.path.join(folder, found[0]), names)]  # noqa: PTH118
    if len(found) > 1:
        message = f"several Compose files lie here ({', '.join(found)}); {found[0]} is taken"
        log.add("MIG058", message, span=Span(file=places[0].shown, line=1, column=1), action=Action.ASSUMED)
    overrides = [name for name in OVERRIDES if os.path.isfile(os.path.join(folder, name))]  # noqa: PTH113, PTH118
    return places + [_place(os.path.join(folder, name), names) for name in overrides[:1]]  # noqa: PTH118


def environment_of(
    files: Sequence[str], directory: str, environment: Mapping[str, str], names: Names, log: Log, *, known: Lookup | None = None
) -> tuple[dict[str, str], list[Path]]:
    """The variables of the env files given, or of `.env` in the directory (rule 40), and which files were read."""
    before = known or lookup_in(environment)
    if not files:
        dotenv = os.path.join(directory, ".env")  # noqa: PTH118
        if environment.get("COMPOSE_DISABLE_ENV_FILE") in _TRUE_WORDS or not os.path.exists(dotenv) or os.path.isdir(dotenv):  # noqa: PTH110, PTH112
            return {}, []
        files = [dotenv]
    values: dict[str, str] = {}
    read: list[Path] = []
    for file in files:
        path = _join(directory, file)
        read_file = read_env_file(path, names, lookup_in_order(before, values), log)
        if read_file is not None:
            values.update(read_file.texts())
            read.append(Path(path))
    return values, read


def lookup_in_order(first: Lookup, values: Mapping[str, str]) -> Lookup:
    """Ask `first`, then the mapping."""

    def lookup(name: str) -> str | None:
        value = first(name)
        return values.get(name) if value is None else value

    return lookup


def read_env_file(path: str, names: Names, lookup: Lookup, log: Log) -> EnvFile | None:
    """An env file that must be there; its faults go to the log. None if it cannot be read."""
    shown = names.shown(path)
    if os.path.isdir(path):  # noqa: PTH112
        log.add("env-file-is-directory", f"env file {shown} is a directory", span=Span(file=shown, line=1, column=1))
        return None
    try:
        read = parse_env(read_text(path, shown), shown, lookup, log.allowance)
    except FileFault as fault:
        kind = "env-file-missing" if fault.kind == "file-missing" else "env-file-syntax"
        log.add(kind, f"env {fault.message}", span=fault.span)
        return None
    for env_fault in read.faults:
        log.add(env_fault.kind, f"{shown}: {env_fault.message}", span=env_fault.span, action=Action.ASSUMED)
    return read


_NAME: Final = late(r"[a-z0-9][a-z0-9_-]*\Z")


def normalised(name: str) -> str:
    """A project name from a directory or from `name:` (rule 6).

    >>> normalised("My App_1.x"), normalised("__a"), normalised("***")
    ('myapp_1x', 'a', '')
    """
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")


def project_name(given: str | None, variable: str | None, written: tuple[str, Span] | None, directory: str, log: Log) -> str:
    """The name of the project: `-p`, then COMPOSE_PROJECT_NAME, then the last `name:`, then the directory (rules 5 and 6)."""
    if said := given or variable:
        if _NAME.match(said):
            return said
        name = normalised(said) or "project"
        rule = "must consist of lower-case letters, digits, - and _, and begin with a letter or digit"
        message = f"project name {said!r} {rule}; {name} is assumed"
        log.add("project-name", message, span=None, action=Action.ASSUMED)
        return name
    text, span = written if written and written[0] else (os.path.basename(directory), None)  # noqa: PTH119
    name = normalised(text)
    if not name:
        log.add(
            "project-name",
            f"project name {text!r} is empty without illegal characters; project is assumed",
            span=span,
            action=Action.ASSUMED,
        )
    return name or "project"
