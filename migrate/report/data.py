"""The forms for programs: the JSON of product.md section 3, and SARIF 2.1.0 for code hosts."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from migrate.findings import Finding, Severity, Span, in_reading_order
from migrate.report.content import Report
from migrate.report.plain_text import clean
from migrate.rules import rules

if TYPE_CHECKING:
    from migrate.addresses.types import DecidedAddress, DecidedUse
    from migrate.plan.decision import Decision

_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def json_text(report: Report) -> str:
    """The JSON form: every key always there, null where it does not apply."""
    return json.dumps(as_data(report), indent=2) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """The JSON form as plain data."""
    return {
        "version": 1,
        "project": report.project,
        "findings": [finding_data(finding, report.base) for finding in in_reading_order(report.findings)],
        "addresses": addresses_data(report.addresses, report.base),
        "decisions": [decision_data(decision, report.base) for decision in report.decisions],
    }


def from_project(file: str, base: str) -> str:
    """A file's name relative to the project directory. `base` is that directory as seen from where the command ran, as `file` is; a name
    that is absolute and lies elsewhere stays.

    >>> from_project("samples/shop/nginx/nginx.conf", "samples/shop"), from_project("../x.env", "."), from_project("/etc/a", "../b")
    ('nginx/nginx.conf', '../x.env', '/etc/a')
    """
    return file if not file or file == "-" or posixpath.isabs(file) != posixpath.isabs(base) else posixpath.relpath(file, base)


def finding_data(finding: Finding, base: str) -> dict[str, Any]:
    """One finding; `file`, `line` and `column` are null where it has no place."""
    placed = finding.span if finding.span is not None and finding.span.line else None
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "action": str(finding.action),
        "file": from_project(placed.file, base) if placed else None,
        "line": placed.line if placed else None,
        "column": placed.column if placed else None,
        "service": finding.service,
        "path": finding.path,
        "message": with_places(finding, base),
        "advice": finding.advice,
        "address": finding.address,
    }


def with_places(finding: Finding, base: str) -> str:
    """The message with the further places of the same fact."""
    places = ", ".join(f"{from_project(span.file, base)}:{span.line}" for span in finding.also)
    return f"{finding.message} (also {places})" if places else finding.message


def decision_data(decision: Decision, base: str) -> dict[str, Any]:
    """One decision; `evidence` as `file:line`."""
    return {
        "question": decision.question,
        "service": decision.service,
        "outcome": decision.outcome,
        "rule": decision.rule,
        "reason": decision.reason,
        "evidence": [f"{from_project(span.file, base)}:{span.line}" for span in decision.evidence],
    }


def addresses_data(addresses: Sequence[DecidedAddress], base: str) -> list[dict[str, Any]]:
    """The entries of `addresses`, which `migrate addresses --format json` prints too."""
    return [
        {
            "address": decided.owner.address,
            "network": decided.owner.network,
            "service": decided.owner.service,
            "outcome": decided.outcome,
            "uses": [_use_data(used, base) for used in decided.uses],
        }
        for decided in addresses
    ]


def _use_data(used: DecidedUse, base: str) -> dict[str, Any]:
    use = used.use
    return {
        "file": from_project(use.span.file, base),
        "line": use.span.line,
        "column": use.span.column,
        "service": use.service,
        "place": use.place,
        "text": use.token,
        "class": use.letter,
        "self": use.own,
        "action": used.action,
        "new": used.new,
    }


def sarif(report: Report) -> str:
    """SARIF 2.1.0; addresses of files are relative to where the command ran, as code hosts want them."""
    findings = in_reading_order(report.findings)
    codes = sorted({finding.code for finding in findings})
    driver = {
        "name": "compose-cutover",
        "version": report.program,
        "rules": [_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, codes.index(finding.code)) for finding in findings],
    }
    document = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2) + "\n"


def _rule(code: str) -> dict[str, Any]:
    rule = rules()[code]
    described: dict[str, Any] = {
        "id": code,
        "shortDescription": {"text": rule.title},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }
    if rule.advice:
        described["help"] = {"text": rule.advice}
    return described


def _result(finding: Finding, index: int) -> dict[str, Any]:
    text = f"{finding.message}\n{finding.advice}" if finding.advice else finding.message
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": clean(text)},
        "properties": {"action": str(finding.action), "service": finding.service, "path": finding.path, "address": finding.address},
    }
    if finding.span is not None and finding.span.line:
        result["locations"] = [_location(finding.span)]
    related = [{"id": number, **_location(span)} for number, span in enumerate(finding.also, 1) if span.line]
    if related:
        result["relatedLocations"] = related
    return result


def _location(span: Span) -> dict[str, Any]:
    path = posixpath.normpath(span.file.replace("\\", "/"))
    region = {"startLine": span.line, "startColumn": max(1, span.column)}
    return {"physicalLocation": {"artifactLocation": {"uri": quote(path)}, "region": region}}
