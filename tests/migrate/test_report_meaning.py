"""What a report says in its first screens: what will run, what to decide, what was assumed, what was lost; and SARIF's required fields."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

import migrate
from migrate.cli import main
from migrate.findings import Action, Finding, Severity
from migrate.report import Report, render
from migrate.report.meaning import parts
from migrate.report.running import Running, running
from migrate.rules import rules
from tests.migrate.written_stacks import rich

SAMPLES = ("ghost", "shop", "slides")


def finding(severity: Severity, action: Action, code: str = "MIG402", message: str = "m") -> Finding:
    return Finding(code=code, severity=severity, action=action, message=message, advice="a")


PARTS = [
    (Severity.ERROR, Action.ASSUMED, "assumed"),
    (Severity.ERROR, Action.DROPPED, "decide"),
    (Severity.ERROR, Action.REFUSED, "decide"),
    (Severity.ERROR, Action.MAPPED, "decide"),
    (Severity.WARNING, Action.ASSUMED, "assumed"),
    (Severity.WARNING, Action.DROPPED, "lost"),
    (Severity.WARNING, Action.REFUSED, "lost"),
    (Severity.WARNING, Action.MAPPED, "check"),
    (Severity.WARNING, Action.REWRITTEN, "check"),
    (Severity.INFO, Action.ASSUMED, "assumed"),
    (Severity.INFO, Action.DROPPED, "lost"),
    (Severity.INFO, Action.APPROXIMATED, "carried"),
]


@pytest.mark.parametrize(("severity", "action", "key"), PARTS)
def test_a_finding_stands_where_its_reader_looks_for_it(severity: Severity, action: Action, key: str) -> None:
    (part,) = parts([finding(severity, action)])
    assert (part.key, part.count, part.folded) == (key, 1, key == "carried")


def test_every_finding_stands_in_exactly_one_part() -> None:
    told = [finding(severity, action) for severity in Severity for action in Action]
    assert sorted(map(repr, told)) == sorted(repr(f) for part in parts(told) for group in part.groups for f in group.findings)


def test_the_gravest_part_is_first_and_what_nobody_must_read_last() -> None:
    told = parts(
        [
            finding(Severity.INFO, Action.MAPPED),
            finding(Severity.INFO, Action.ASSUMED),
            finding(Severity.WARNING, Action.APPROXIMATED),
            finding(Severity.ERROR, Action.REFUSED),
        ]
    )
    assert [part.key for part in told] == ["decide", "check", "assumed", "carried"]


def test_findings_of_a_code_are_one_group_that_says_once_what_they_share() -> None:
    same = [finding(Severity.WARNING, Action.MAPPED) for _ in range(3)]
    other = finding(Severity.WARNING, Action.MAPPED, code="MIG902", message="n")
    (part,) = parts([*same, other, finding(Severity.WARNING, Action.MAPPED, code="MIG902", message="o")])
    assert [(g.code, len(g.findings), g.message, g.advice) for g in part.groups] == [("MIG402", 3, "m", "a"), ("MIG902", 2, None, "a")]
    assert part.groups[0].title == rules()["MIG402"].title


def test_what_will_run_is_read_from_the_objects(tmp_path: Path) -> None:
    lines = {one.service: one for one in running(rich(tmp_path).manifests)}
    assert lines["web"] == Running(
        service="web",
        runs="Deployment, 2 pods",
        images=("registry.example.com:5000/team/web:1.4",),
        inside=("web:8080,8443,18080,18443",),
        outside=("LoadBalancer 18080", "LoadBalancer 18443"),
        data=("media (10Gi)",),
        waits=("db", "prepare"),
    )
    assert lines["db"].runs == "StatefulSet, 1 pod" and lines["db"].data == ("data (10Gi)",)
    assert lines["scaled"].runs == "Deployment, 2 to 5 pods by load" and lines["scaled"].outside == ("Ingress shop.example.com/",)
    assert lines["nightly"].runs == "CronJob, 0 3 * * *" and lines["prepare"].runs == "Job, once"
    assert len(lines["worker"].images) == 2 and set(lines["worker"].inside) == {"sidecar", "worker"}


def test_what_stands_on_nodes_is_told() -> None:
    spec = {
        "hostNetwork": False,
        "containers": [{"name": "a", "image": "a:1", "ports": [{"containerPort": 53, "hostPort": 53, "protocol": "UDP"}]}],
        "volumes": [{"name": "v", "hostPath": {"path": "/dev/x"}}],
    }
    template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
    daemon = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "a"}, "spec": {"template": template}}
    (line,) = running([daemon])
    assert (line.runs, line.outside, line.data) == ("DaemonSet, on every node", ("node port 53",), ("/dev/x of its node",))


@functools.cache
def reports(sample: str, folder: Path, repository: Path) -> dict[str, str]:
    names = {suffix: folder / f"r{suffix}" for suffix in (".html", ".md", ".txt", ".sarif", ".json")}
    options = [word for name in names.values() for word in ("--report", str(name))]
    main(["convert", "-q", "-f", str(repository / "samples" / sample / "docker-compose.yml"), *options, "-o", str(folder / "out")])
    return {suffix: name.read_text() for suffix, name in names.items()}


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_form_tells_every_finding_and_what_runs(repository: Path, tmp_path: Path, sample: str) -> None:
    told = reports(sample, tmp_path, repository)
    conversion = migrate.convert(repository / "samples" / sample / "docker-compose.yml")
    codes = Counter(finding.code for finding in conversion.findings)
    for suffix in (".md", ".txt"):
        assert all(told[suffix].count(code) >= count for code, count in codes.items()), suffix
    assert all(code in told[".html"] for code in codes)
    for one in running(conversion.manifests):
        assert all(one.service in told[suffix] and one.runs in told[suffix] for suffix in (".html", ".md", ".txt"))
    titles = re.findall(r"<h2[^>]*>([^<(]+)", told[".html"])
    assert titles[0].strip() == "What will run"


def test_equal_places_are_folded_and_none_is_left_out() -> None:
    many = [
        Finding(
            code="MIG032",
            severity=Severity.ERROR,
            action=Action.DROPPED,
            message="no size",
            advice="correct it",
            path=f"services.s{i}.mem_limit",
        )
        for i in range(40)
    ]
    page = render(Report(project="p", program="0", findings=tuple(many)), "r.html")
    assert page.count("no size") == 1 and page.count("correct it") == 1 and "34 more" in page
    assert all(f"services.s{i}.mem_limit" in page for i in range(40))


REQUIRED = {
    "log": ("version", "runs"), "run": ("tool", "results"), "driver": ("name",), "rule": ("id",), "result": ("message", "ruleId"),
    "message": ("text",), "location": ("physicalLocation",), "place": ("artifactLocation",), "artifact": ("uri",), "region": ("startLine",),
}  # fmt: skip
"""What SARIF 2.1.0 and the code hosts that show it require."""


def require(kind: str, value: Any) -> Any:
    assert isinstance(value, dict) and all(key in value for key in REQUIRED[kind]), (kind, value)
    return value


@pytest.mark.parametrize("sample", SAMPLES)
def test_sarif_has_what_its_schema_requires(repository: Path, tmp_path: Path, sample: str) -> None:
    log = require("log", json.loads(reports(sample, tmp_path, repository)[".sarif"]))
    assert log["version"] == "2.1.0" and log["$schema"].startswith("https://")
    (run,) = [require("run", run) for run in log["runs"]]
    driver = require("driver", run["tool"]["driver"])
    identifiers = [require("rule", rule)["id"] for rule in driver["rules"]]
    assert len(identifiers) == len(set(identifiers))
    assert run.get("columnKind") in ("utf16CodeUnits", "unicodeCodePoints")
    for result in run["results"]:
        require("result", result)
        assert require("message", result["message"])["text"].strip() and result["level"] in ("none", "note", "warning", "error")
        assert identifiers[result["ruleIndex"]] == result["ruleId"]
        for location in (*result.get("locations", ()), *result.get("relatedLocations", ())):
            place = require("place", require("location", location)["physicalLocation"])
            uri = urlsplit(require("artifact", place["artifactLocation"])["uri"])
            assert uri.scheme in ("", "file") and " " not in uri.path and "\\" not in uri.path
            assert (Path.cwd() / unquote(uri.path)).is_file()
            region = require("region", place.get("region", {"startLine": 1}))
            assert region["startLine"] >= 1 and region.get("startColumn", 1) >= 1
