"""The lists of conversion-data.yaml, read once and compiled: images, contexts, directories, patterns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def knowledge() -> Mapping[str, Any]:
    """The data file as plain data.

    >>> knowledge()["images"]["redis"]["ports"]
    [6379]
    """
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
    return _at(path)


@cache
def _at(path: tuple[str, ...]) -> re.Pattern[str]:
    found: Any = knowledge()
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
