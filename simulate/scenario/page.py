"""Every key of a scenario as a page for people, docs/scenario.md, made from the table that reads them: neither more nor less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from simulate.scenario.table import SCENARIO, VERBS

HEAD = """# scenario.yaml

What Kubernetes manifests cannot say and `simulate` needs. Every key, its kind and its meaning; made from the table that reads scenarios,
as the JSON Schema `scenario.schema.json` beside it is. `NAME` stands for a name of yours, `[]` for an entry of a list; keys in **bold**
must be there. Durations, quantities, rates and prices are written as `1m30s`, `250m` or `128Mi`, `120/s`, `140/month`.
"""


def page() -> str:
    """The page in Markdown: same table, same text."""
    schema = SCENARIO.schema()
    parts = [HEAD]
    for name, one in schema["properties"].items():
        parts.append(f"## {name}\n\n{_sentence(one.get('description', ''))}\n")
        rows = list(_verbs() if name == "events" else _rows(one, ""))
        if rows:
            parts.append("| key | kind | meaning |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n")
        elif name != "events":
            parts.append(f"{_sentence(_kind(one))}\n")
    return "\n".join(parts)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""


def _rows(one: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """A line a key, each mapping's keys below it."""
    for form in _forms(one):
        if "items" in form and isinstance(form["items"], Mapping):
            yield from _rows(form["items"], f"{prefix}[]")
        if isinstance(form.get("additionalProperties"), Mapping):
            yield from _rows(form["additionalProperties"], f"{prefix}.NAME".removeprefix("."))
        required = form.get("required", ())
        for key, inner in form.get("properties", {}).items():
            path = f"{prefix}.{key}".removeprefix(".")
            shown = f"**`{path}`**" if key in required else f"`{path}`"
            yield f"| {shown} | {_kind(inner)} | {inner.get('description', '')} |".replace("||", "| |")
            yield from _rows(inner, path)


def _forms(one: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The alternatives of a value; those of `oneOf` that only say which keys must be there are none."""
    found = [form for form in one.get("anyOf", ()) if isinstance(form, Mapping)]
    return [inner for form in found for inner in _forms(form)] or [one]


def _kind(one: Mapping[str, Any]) -> str:
    """What a value is, in few words."""
    several = "anyOf" in one
    return " or ".join(dict.fromkeys(_plain(form, several) for form in _forms(one) if form.get("type") != "number" or not several))


def _plain(form: Mapping[str, Any], several: bool) -> str:
    """One alternative; only where there are several the description is of the value and not of its key."""
    if "enum" in form:
        return ", ".join(f"`{word}`" for word in form["enum"])
    if "const" in form:
        return f"`{str(form['const']).lower()}`"
    kind = form.get("type", "")
    kinds = [kind] if isinstance(kind, str) else list(kind)
    if "string" in kinds:
        return str(form.get("description", "text")).removeprefix("a ") if several else "text"
    if "integer" in kinds or "number" in kinds:
        words = "whole number" if "integer" in kinds else "number"
        return words + (" or null" if "null" in kinds else "")
    return {"boolean": "true or false", "array": "list", "object": "mapping"}.get(kinds[0], kinds[0])


def _verbs() -> Iterator[str]:
    """Events have a line a verb and its keys."""
    yield "| **`[].at`** | duration such as 250ms | when |"
    for verb, (target, keys) in VERBS.items():
        yield f"| `[].{verb}` | text | {'an' if target[0] in 'aeiou' else 'a'} {target} |"
        for key, one in keys.items():
            shown = f"**`{key}`**" if one.required else f"`{key}`"
            yield f"| with `{verb}`: {shown} | {_kind(one.shape.schema())} | {one.means} |"
