"""Cases like `oracle/compose/NNN-name`: one folder each, compared as the README of that folder says.

Versions disagree in the tier "versioned": what any of them says passes. In the tier "quirk" the recorded output is a defect of
the real program that is not copied; only load or failure counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from migrate.compose import config_text, load, refusals
from migrate.findings import Finding, Unusable

CLASS = re.compile(r"\[([a-z-]+)\]$")
CLASS_OF_CODE = {"MIG051": "unknown-key"}


@dataclass(slots=True, kw_only=True)
class Options:
    """The arguments of one case."""

    files: list[str] = field(default_factory=list)
    name: str | None = None
    env_files: list[str] = field(default_factory=list)
    profiles: list[str] = field(default_factory=list)
    project_directory: str | None = None
    interpolate: bool = True
    all_resources: bool = False


def options_of(lines: Sequence[str]) -> Options:
    """Read the lines of `args`."""
    options = Options()
    rest = iter(lines)
    for flag in rest:
        if flag == "-f":
            options.files.append(next(rest))
        elif flag == "-p":
            options.name = next(rest)
        elif flag == "--env-file":
            options.env_files.append(next(rest))
        elif flag == "--profile":
            options.profiles.append(next(rest))
        elif flag == "--project-directory":
            options.project_directory = next(rest)
        elif flag == "--no-interpolate":
            options.interpolate = False
        elif flag == "--all-resources":
            options.all_resources = True
    return options


def lines_of(path: Path) -> list[str]:
    """The lines of a small file that need not be there."""
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def run(paths: list[Path]) -> Iterator[tuple[str, str | None]]:
    """Every case below the paths, with why it fails or None."""
    for path in paths:
        folders = [path] if (path / "meta.json").exists() else sorted(child.parent for child in path.glob("*/meta.json"))
        for folder in folders:
            yield folder.name, judged(folder.resolve())


def judged(folder: Path) -> str | None:
    """Why the case fails; None if it passes."""
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    try:
        result: Any = loaded(folder)
        findings: Sequence[Finding] = ()
    except Unusable as refused:
        result, findings = None, refused.findings
    except Exception as error:  # a traceback is a failed case
        return f"{type(error).__name__}: {error}"
    tier = meta.get("tier")
    if tier == "quirk":
        fails = meta.get("exit", 0) != 0
        return None if fails == (result is None) else f"{'refusal' if fails else 'loading'} expected: {words(findings)}"
    reasons = [compared(folder, suffix, result, findings, meta) for suffix in suffixes(folder, versioned=tier == "versioned")]
    return None if None in reasons else reasons[0]


def suffixes(folder: Path, *, versioned: bool) -> list[str]:
    """The recorded versions that count: 2.40.3 has no suffix."""
    if not versioned:
        return [""]
    return ["", *sorted({path.stem.partition("@")[2] for path in folder.glob("expected*@*") if "@" in path.name})]


def words(findings: Iterable[Finding]) -> str:
    """Findings in one line."""
    return "; ".join(f"{f.code} {f.message}" for f in findings)


def loaded(folder: Path) -> Any:
    """The canonical project of a case, as plain data. Raises Unusable."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/home/user"}
    environment |= dict(line.partition("=")[::2] for line in lines_of(folder / "env") if line)
    options = options_of(lines_of(folder / "args"))
    inside = "".join(lines_of(folder / "cwd")).strip()
    stdin = folder / "stdin"
    project = load(
        options.files,
        directory=folder / inside,
        environment=environment,
        stdin=stdin.read_text(encoding="utf-8") if stdin.exists() else None,
        project_name=options.name,
        profiles=options.profiles,
        env_files=options.env_files,
        project_directory=options.project_directory,
        interpolate=options.interpolate,
        all_resources=options.all_resources,
        strict=True,
    )
    return json.loads(config_text(project, "json"))


def compared(folder: Path, suffix: str, result: Any, findings: Sequence[Finding], meta: dict[str, Any]) -> str | None:
    """Why the result is not what one version recorded."""
    mark = f"@{suffix}" if suffix else ""
    error, expected, text = (folder / f"expected{name}{mark}{end}" for name, end in (("_error", ".txt"), ("", ".json"), ("", ".txt")))
    if error.exists():
        return why_not_refused(error.read_text(encoding="utf-8"), result, findings, meta)
    if not expected.exists() and not text.exists():
        return f"nothing is recorded for {suffix}"
    if result is None:
        return f"refused: {words(findings)}"
    recorded = json.loads(expected.read_text(encoding="utf-8")) if expected.exists() else yaml.safe_load(text.read_text(encoding="utf-8"))
    return difference(normal(placed(recorded, folder)), normal(result))


def why_not_refused(error: str, result: Any, findings: Sequence[Finding], meta: dict[str, Any]) -> str | None:
    """A recorded failure wants a failure, its class among ours and the names that it mentions."""
    if result is not None:
        return f"loaded, but expected: {error[:150]}"
    faults = refusals(findings)
    kinds = {kind_of(finding) for finding in faults}
    wanted = meta.get("error_class")
    if wanted and wanted not in kinds:
        return f"class {wanted} expected: {words(findings)[:300]}"
    told = " ".join(f"{f.message} {f.span} {f.path} {f.advice}" for f in findings)
    names = [name for name in meta.get("mentions", ()) if "=" not in name]  # a message of ours tells no value of a variable
    missing = [name for name in names if name not in told and re.split(r"[.\[]", name)[-1].rstrip("]") not in told]
    return f"{missing} not mentioned: {told[:300]}" if missing else None


def kind_of(finding: Finding) -> str:
    """The fault class of a finding."""
    found = CLASS.search(finding.message)
    return found.group(1) if found else CLASS_OF_CODE.get(finding.code, finding.code)


def placed(value: Any, folder: Path) -> Any:
    """The recorded value with the places of this machine."""
    if isinstance(value, str):
        return value.replace("@CASE@", str(folder)).replace("@PARENT@", str(folder.parent))
    if isinstance(value, dict):
        return {placed(key, folder): placed(child, folder) for key, child in value.items()}
    if isinstance(value, list):
        return [placed(child, folder) for child in value]
    return value


def normal(value: Any, key: str = "") -> Any:
    """A value as the README compares it: `$$` is `$`, empty mappings and unset commands are nothing, create_host_path does not count."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, list):
        return [normal(child) for child in value]
    if not isinstance(value, dict):
        return float(value)
    made = {name.replace("$$", "$"): normal(child, name) for name, child in value.items() if name != "create_host_path"}
    if key == "networks":
        return {name: {} if child in (None, {}) else child for name, child in made.items()}
    empty_means_nothing = key not in ("networks", "volumes", "secrets", "configs", "services", "models")
    kept = {
        name: child
        for name, child in made.items()
        if not (child == {} and (empty_means_nothing or name in ("networks", "volumes", "secrets", "configs")))
        and not (child is None and name in ("command", "entrypoint"))
    }
    if key in ("environment", "models", "labels"):
        return kept
    return {name: child for name, child in kept.items() if child is not None or key == "environment"}


def difference(expected: Any, found: Any, path: str = "") -> str | None:
    """The first place where two values differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted({*expected, *found}):
            if key not in found:
                return f"{path}.{key} is missing: {json.dumps(expected[key])[:120]}"
            if key not in expected:
                return f"{path}.{key} is not expected: {json.dumps(found[key])[:120]}"
            if (reason := difference(expected[key], found[key], f"{path}.{key}")) is not None:
                return reason
        return None
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        reasons = (difference(a, b, f"{path}[{i}]") for i, (a, b) in enumerate(zip(expected, found, strict=True)))
        return next((reason for reason in reasons if reason is not None), None)
    return (
        None
        if expected == found and type(expected) is type(found)
        else f"{path}: {json.dumps(expected)[:120]} expected, {json.dumps(found)[:120]} found"
    )
