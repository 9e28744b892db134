"""The canonical project as text, comparable with `docker compose config`: keys in order, every literal `$` doubled."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from .model import Project

_ORDER: Final = ("name", "services", "networks", "volumes", "secrets", "configs")

_HIDDEN: Final = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Characters beyond ASCII's own controls that steer a terminal; both forms escape them."""


def config_text(project: Project, format: str = "yaml") -> str:
    """The project as `yaml` or `json` text, with a line end behind it. The same project gives the same bytes.

    Raises ValueError for another format.
    """
    data = _escaped(project.data)
    if format == "json":
        text = json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True)
        return _HIDDEN.sub(lambda found: f"\\u{ord(found.group()):04x}", text) + "\n"
    if format != "yaml":
        raise ValueError(f"format {format!r} is neither yaml nor json")
    import yaml

    ordered = {key: _sorted(data[key]) for key in _ORDER if key in data}
    ordered |= {key: data[key] for key in sorted(data) if key not in _ORDER}
    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    unicode = _HIDDEN.search(json.dumps(data, ensure_ascii=False)) is None
    return str(yaml.dump(ordered, Dumper=dumper, sort_keys=False, default_flow_style=False, allow_unicode=unicode, width=1 << 20))


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {_escaped(key): _escaped(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [_escaped(child) for child in value]
    return value


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(child) for child in value]
    return value
