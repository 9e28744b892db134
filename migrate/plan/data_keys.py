"""Keys of the ConfigMaps and Secrets that carry files, and the volume sources that show them as files again (conversion.md 2.7)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from migrate.plan.spelling import digits
from migrate.stack.data import knowledge

_LONGEST_KEY: Final = 253


def items_of(kind: str, name: str, items: list[tuple[str, str, int | None]]) -> dict[str, Any]:
    """The volume source that shows the keys of a ConfigMap or Secret (`kind` as the API writes it) as files: (key, path, mode)."""
    listed = [{"key": key, "path": path, **({"mode": mode} if mode is not None else {})} for key, path, mode in items]
    return {"secretName" if kind == "secret" else "name": name, "defaultMode": 0o644, "items": listed}


def data_key(name: str) -> str:
    """A file name as a key of a ConfigMap or Secret (2.7).

    >>> data_key("my conf.d"), len(data_key("x" * 300))
    ('my-conf.d', 253)
    """
    key = re.sub(r"[^-._a-zA-Z0-9]", "-", name) or "file"
    return key if len(key) <= _LONGEST_KEY else f"{key[: _LONGEST_KEY - 6]}-{digits(name)}"


def item_keys(found: Mapping[str, tuple[bytes, bool, bool]], base: str) -> dict[str, str]:
    """The keys of the files of a directory by their relative path; `base` names a single file."""
    keys: dict[str, str] = {}
    for path in found:
        key = data_key(path.replace("/", "__") or base)
        if key in keys.values() or len(key) > 253:
            key = f"{key[:240]}-{digits(path)}"
        keys[path] = key
    return keys


def split_text(content: Mapping[str, bytes]) -> tuple[dict[str, str], dict[str, bytes]]:
    """What is text that YAML can carry, and the rest."""
    text: dict[str, str] = {}
    binary: dict[str, bytes] = {}
    for key, data in content.items():
        try:
            decoded = data.decode("utf-8")
        except UnicodeDecodeError:
            binary[key] = data
            continue
        if re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]", decoded):
            binary[key] = data
        else:
            text[key] = decoded
    return text, binary


def is_private(path: str, data: bytes) -> bool:
    """Whether a file is one that only its owner should read (*secret_files*, or a private key in it)."""
    name = PurePosixPath(path).name
    return any(fnmatch.fnmatch(name, p) for p in knowledge()["secret_files"]) or b"PRIVATE KEY-----" in data
