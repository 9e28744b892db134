"""One report in every form: the shapes that programs rely on, and what people must see."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from migrate.addresses.types import DecidedAddress, DecidedUse, Owner, Use
from migrate.findings import Action, Finding, Severity, Span
from migrate.plan.decision import Decision
from migrate.report import FORMS, Report, clean, render, terminal
from migrate.rules import found

HERE = Span(file="stack/compose.yaml", line=7, column=5)


def refused(service: str = "web") -> Finding:
    return found(
        "MIG210",
        f"{service} needs a literal",
        action=Action.REFUSED,
        span=HERE,
        service=service,
        path="services.web.dns",
        address="10.0.0.2",
    )


FINDINGS = (
    found(
        "MIG201",
        "10.0.0.9 is never used",
        action=Action.DROPPED,
        span=Span(file="stack/compose.yaml", line=3, column=1),
        address="10.0.0.9",
    ),
    refused("web"),
    found(
        "MIG902",
        "image of db has no fixed tag",
        action=Action.MAPPED,
        span=HERE,
        service="db",
        also=(Span(file="stack/b.yaml", line=2, column=1),),
    ),
    found("MIG902", "image of web has no fixed tag", action=Action.MAPPED, span=HERE, service="web"),
    found("MIG801", "Pod Security level baseline <forced>", action=Action.MAPPED),
)
USE = Use(
    service="web", place="environment", key="DB", start=0, end=8, token="10.0.0.2", address="10.0.0.2", owner="db", network="n",
    own=False, context="other", letter="b", rule="A9", port=None, span=HERE, kind="address",
    occurrence=0,
)  # fmt: skip
ADDRESSES = (
    DecidedAddress(
        owner=Owner(address="10.0.0.2", network="n", service="db", span=HERE),
        outcome="name",
        uses=(DecidedUse(use=USE, action="rewritten", new="db"),),
    ),
    DecidedAddress(owner=Owner(address="192.0.2.1", network=None, service=None, span=HERE), outcome="left", uses=()),
)
REPORT = Report(
    project="stack|1",
    program="0.1.0",
    findings=FINDINGS,
    addresses=ADDRESSES,
    decisions=(Decision(question="kind", service="db", outcome="StatefulSet", rule="W8", reason="keeps its claim", evidence=(HERE,)),),
    files=("stack/compose.yaml",),
    base="stack",
    objects={"Service": 2, "Deployment": 1},
    services=2,
)


def test_json_has_every_key_and_files_relative_to_the_project() -> None:
    data = json.loads(render(REPORT, "r.json"))
    assert (data["version"], data["project"]) == (1, "stack|1")
    keys = ["code", "severity", "action", "file", "line", "column", "service", "path", "message", "advice", "address"]
    assert all(list(finding) == keys for finding in data["findings"])
    assert [finding["severity"] for finding in data["findings"]] == ["error", "warning", "warning", "info", "info"]
    first, last = data["findings"][0], data["findings"][-2]
    assert (first["file"], first["line"], first["column"], first["address"]) == ("compose.yaml", 7, 5, "10.0.0.2")
    assert last == {**dict.fromkeys(keys), **{k: last[k] for k in ("code", "severity", "action", "message", "advice")}}
    assert data["addresses"][0] == {
        "address": "10.0.0.2", "network": "n", "service": "db", "outcome": "name",
        "uses": [{
            "file": "compose.yaml", "line": 7, "column": 5, "service": "web", "place": "environment", "text": "10.0.0.2",
            "class": "b", "self": False, "action": "rewritten", "new": "db",
        }],
    }  # fmt: skip
    assert data["decisions"][0]["evidence"] == ["compose.yaml:7"]


def test_sarif_points_at_the_line() -> None:
    data = json.loads(render(REPORT, "r.sarif"))
    run = data["runs"][0]
    assert data["version"] == "2.1.0" and run["tool"]["driver"]["name"] == "compose-cutover"
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"] and result["level"] in ("error", "warning", "note")
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "stack/compose.yaml"}, "region": {"startLine": 7, "startColumn": 5}}
    assert "relatedLocations" in next(result for result in run["results"] if "db" in result["message"]["text"])


class Page(HTMLParser):
    """Opened and closed tags, and everything that would load something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [(name, value) for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_is_one_self_contained_file_that_tells_everything() -> None:
    text = render(REPORT, "r.html")
    page = Page()
    page.feed(text)
    assert page.open == [] and page.loads == [] and "<script" not in text and "url(" not in text
    for part in (
        "MIG210",
        "Pod Security level baseline <forced>",
        "10.0.0.2",
        "replaced by a name",
        "keeps its claim",
        "1 point must be decided",
    ):
        assert part in page.text
    assert "prefers-color-scheme: dark" in text and "@media print" in text


def test_markdown_cells_hold_what_would_break_a_table() -> None:
    lines = render(REPORT, "r.md").splitlines()
    assert lines[0] == r"# Conversion of stack\|1"
    rows = [line for line in lines if line.startswith("|")]
    assert any("&lt;forced&gt;" in row for row in rows)
    assert all(row.replace(r"\|", "").count("|") >= 3 for row in rows)


def test_text_has_every_finding_use_and_decision() -> None:
    text = render(REPORT, "r.txt")
    for part in ("MIG201", "MIG210", "stack/compose.yaml:7:5", "-> db", "(nobody)", "W8"):
        assert part in text


def test_the_terminal_is_not_flooded() -> None:
    many = [found("MIG006", f"unknown key {number}", action=Action.DROPPED, span=HERE, path=str(number)) for number in range(1000)]
    lines = terminal(many, shown=200).splitlines()
    assert len([line for line in lines if "unknown key" in line]) == 200
    assert lines[-1] == "MIG006 error: 800 more; -v tells them"
    assert terminal(many, shown=200, verbosity=1) == terminal(many, verbosity=1)


def test_terminal_shows_first_what_must_be_decided() -> None:
    lines = terminal(FINDINGS).splitlines()
    assert lines[0] == "stack/compose.yaml:7:5 MIG210 error: web needs a literal [refused]"
    assert lines[1] == "    `--addresses pin --service-cidr ...`"
    assert "MIG201 info" not in terminal(FINDINGS) and "MIG201 info" in terminal(FINDINGS, verbosity=1)
    assert lines[-1] == "1 x MIG201 address dropped, no reference found: 10.0.0.9 stack/compose.yaml:3:1"
    assert "MIG201" not in terminal(FINDINGS, verbosity=-1)
    assert "MIG902" not in terminal(FINDINGS, verbosity=-1)


def test_equal_findings_of_several_services_are_one_line_with_a_count() -> None:
    lines = [line for line in terminal(FINDINGS).splitlines() if "MIG902" in line]
    assert lines == ["stack/compose.yaml:7:5 MIG902 warning: image of db has no fixed tag (and 1 more: web)"]


def test_colour_is_asked_for() -> None:
    assert "\x1b" not in terminal(FINDINGS) and "\x1b[31;1merror\x1b[0m" in terminal(FINDINGS, colour=True)


@pytest.mark.parametrize("suffix", FORMS)
def test_no_control_character_of_the_input_comes_through(suffix: str) -> None:
    evil = "a\x1b[31m\x9b\u202eb"
    finding = Finding(
        code="MIG210", severity=Severity.ERROR, action=Action.REFUSED, message=evil, advice=evil, span=Span(file=evil, line=1, column=1)
    )
    report = Report(project=evil, program="0", findings=(finding,), addresses=ADDRESSES, objects={})
    text = render(report, f"x{suffix}")
    assert not set(text) & set("\x1b\x9b\u202e")
    assert not set(terminal([finding])) & set("\x1b\x9b\u202e")


@pytest.mark.parametrize("suffix", FORMS)
def test_an_empty_report_is_a_report(suffix: str) -> None:
    assert "nothing" in render(Report(project="nothing", program="0", findings=()), f"x{suffix}") or suffix == ".sarif"


def test_clean_keeps_what_is_text() -> None:
    strings: list[Any] = ["grün\tund\n", "日本", "a b"]
    assert [clean(text) for text in strings] == strings
