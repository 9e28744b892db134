"""The lists of conversion-data.yaml, read once and compiled: images, contexts, directories, patterns; a plan may add to some of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


Extension = tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
"""Lists of the data file by their path, each with what a user adds to it."""

EXTENSIBLE: Final[Mapping[str, tuple[str, ...] | None]] = {
    "hostname_is_identity": None,
    "many_ports": None,
    "writes_config": None,
    "oneshot_name_parts": None,
    "not_secret_keys": None,
    "secret_files": None,
    "namespaced_sysctls": None,
    "host_position": ("keys",),
    "address_context": ("served_name", "literal_only", "acl", "own_literal", "advertise", "bind"),
    "storage": ("data_dir_names", "config_targets", "data_files", "data_targets", "copy_up_targets", "dropped"),
    "docker_socket": ("paths", "omitted_when_labels_converted"),
}
"""The lists that a plan may extend: a list, or the lists inside a mapping."""

_EXTENSION: ContextVar[Extension] = ContextVar("extension", default=())


def knowledge() -> Mapping[str, Any]:
    """The data file as plain data, with what `extended` adds.

    >>> knowledge()["images"]["redis"]["ports"]
    [6379]
    """
    return _with(_EXTENSION.get())


@contextmanager
def extended(lists: Mapping[str, Any]) -> Iterator[None]:
    """In this context the lists of the data file have more items; `lists` is in the form of the file.

    >>> with extended({"many_ports": ["my-pbx"]}):
    ...     "my-pbx" in knowledge()["many_ports"]
    True
    >>> "my-pbx" in knowledge()["many_ports"]
    False
    """
    found: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    for name, said in lists.items():
        parts = said.items() if isinstance(said, Mapping) else (("", said),)
        found += [((name, part) if part else (name,), tuple(str(i) for i in items or ())) for part, items in parts]
    token = _EXTENSION.set(tuple(found))
    try:
        yield
    finally:
        _EXTENSION.reset(token)


@lru_cache(maxsize=8)
def _with(extension: Extension) -> Mapping[str, Any]:
    data = dict(_file())
    for path, items in extension:
        name, *rest = path
        if rest:
            data[name] = {**data[name], rest[0]: [*data[name][rest[0]], *items]}
        else:
            data[name] = [*data[name], *items]
    return data


@cache
def _file() -> Mapping[str, Any]:
    text = (Path(__file__).parents[1] / "data" / "conversion-data.yaml").read_text(encoding="utf-8")
    data: Mapping[str, Any] = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader, our own file
    return data


@cache
def any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern that finds what any of `patterns` finds, case-insensitive; of none, one that never matches.

    >>> bool(any_of(("^a$", "b")). search("xBx"))
    True
    """
    return re.compile("|".join(f"(?:{p})" for p in patterns) if patterns else "(?!)", re.IGNORECASE | re.MULTILINE)


def pattern(*path: str) -> re.Pattern[str]:
    """The compiled list of patterns at `path` of the data file.

    >>> bool(pattern("address_context", "bind").search("--bind"))
    True
    """
    return _at(path, _EXTENSION.get())


@lru_cache(maxsize=256)
def _at(path: tuple[str, ...], extension: Extension) -> re.Pattern[str]:
    found: Any = _with(extension)
    for part in path:
        found = found[part]
    return any_of(tuple(found) if isinstance(found, Sequence) and not isinstance(found, str) else (str(found),))


@cache
def path_pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    """Paths that one of `globs` means: `*` inside one element, `/**` the path itself and all below.

    >>> bool(path_pattern(("/etc/**",)).fullmatch("/etc")), bool(path_pattern(("/var/lib/*",)).fullmatch("/var/lib/a/b"))
    (True, False)
    """
    return re.compile("|".join(_glob(g) for g in globs) or "(?!)", re.IGNORECASE)


def _glob(glob: str) -> str:
    below = glob.endswith("/**")
    body = "[^/]*".join(re.escape(part) for part in (glob[:-3] if below else glob).split("*"))
    return f"(?:{body}(?:/.*)?)" if below else f"(?:{body})"


def storage_paths(name: str) -> re.Pattern[str]:
    """The path list `name` of *storage*, compiled."""
    return path_pattern(tuple(knowledge()["storage"][name]))


def image_name(image: str | None) -> str:
    """The last path element of an image reference without tag and digest: the key of *images*.

    >>> image_name("registry:5000/bitnami/redis:7@sha256:00")
    'redis'
    """
    return (image or "").partition("@")[0].rsplit("/", 1)[-1].partition(":")[0].lower()


def image_repository(image: str | None) -> str:
    """An image reference without tag and digest.

    >>> image_repository("registry:5000/bitnami/redis:7")
    'registry:5000/bitnami/redis'
    """
    name = (image or "").partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def image_facts(image: str | None) -> Mapping[str, Any]:
    """What the image table knows of `image`; empty if nothing."""
    found: Mapping[str, Any] = knowledge()["images"].get(image_name(image), {})
    return found
