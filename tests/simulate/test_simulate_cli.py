"""The command line: what it prints where, and how it ends. The engine is replaced by a trace made by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from simulate import cli, engine
from simulate.spec import ClusterSpec
from simulate.trace import Trace
from tests.simulate import made

Ends = Callable[..., tuple[int, str, str]]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "m.yaml").write_text(yaml.safe_dump_all(made.manifests()))
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(made.scenario()))
    return str(tmp_path / "m.yaml"), str(tmp_path / "s.yaml")


@pytest.fixture
def ends(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ends:
    def run(spec: ClusterSpec, seed: int) -> Trace:
        return made.trace(spec, seed=seed)

    monkeypatch.setattr(engine, "run", run)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return call


def test_run_prints_the_answer(ends: Ends, files: tuple[str, str]) -> None:
    status, out, err = ends("run", files[0], "-s", files[1])
    assert (status, err) == (0, "")
    assert "The objective holds (in one draw)." in out and "services.api.cpu" in out and "-o DIR" in out
    assert "\x1b" not in out


def test_output_directory(ends: Ends, files: tuple[str, str], tmp_path: Path) -> None:
    status, out, _ = ends("run", files[0], "-s", files[1], "-o", str(tmp_path / "out"), "--replications", "2", "--seed", "5")
    assert status == 0
    assert [line for line in out.splitlines() if "/out/" in line] == [
        str(tmp_path / "out" / name) for name in ("trace.json", "report.html", "report.md", "report.json")
    ]
    assert json.loads((tmp_path / "out" / "report.json").read_text())["variants"][0]["seeds"] == [5, 6]


def test_rollout_puts_alternatives_side_by_side(ends: Ends, files: tuple[str, str]) -> None:
    more = ("--deployment", "web", "--max-surge", "1,25%", "--max-unavailable", "0,1", "--min-ready-seconds", "5")
    status, out, _ = ends("rollout", files[0], "-s", files[1], *more)
    assert status == 0
    words = " ".join(out.split())
    assert (
        all(f"maxSurge {surge}, maxUnavailable" in words for surge in ("1", "25%"))
        and "(maxSurge 1, maxUnavailable 0, minReadySeconds 5)" in words
    )
    assert "kubectl rollout status deployment/web" in out and "rollout of web" in out


def test_autoscale_prints_what_kubectl_would(ends: Ends, files: tuple[str, str]) -> None:
    status, out, _ = ends("autoscale", files[0], "-s", files[1], "--deployment", "web", "--min", "1", "--max", "5", "--cpu-percent", "50")
    lines = out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("NAME "))
    assert status == 0
    assert lines[start].split() == ["NAME", "REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE"]
    assert [line.split()[2] for line in lines[start + 1 : start + 3]] == ["<unknown>/50%", "80%/50%"]


def test_report_again(ends: Ends, files: tuple[str, str], tmp_path: Path) -> None:
    out_dir = tmp_path / "out"
    ends("run", files[0], "-s", files[1], "-o", str(out_dir))
    status, out, _ = ends("report", str(out_dir), "--format", "md")
    assert (status, out) == (0, (out_dir / "report.md").read_text())
    status, out, _ = ends("report", str(out_dir), str(out_dir), "-o", str(tmp_path / "both"))
    assert status == 0 and sorted(p.name for p in (tmp_path / "both").iterdir()) == ["report.html", "report.json", "report.md"]


def test_failed_requests_are_warnings(ends: Ends, files: tuple[str, str], tmp_path: Path) -> None:
    said = made.scenario()
    said["objective"] = {"web": {"latency": {0.5: "1ms"}}}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(said))
    status, out, err = ends("run", files[0], "-s", files[1])
    assert status == 0 and "does not hold" in out
    assert err.splitlines() == ["warning: web: the objective for its p50 latency does not hold", "warning: web: 3 requests failed"]
    assert ends("run", files[0], "-s", files[1], "--fail-on", "warning")[0] == 1
    assert ends("run", files[0], "-s", files[1], "--fail-on", "never")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "{absent}", "-s", "{s}"), "absent.yaml cannot be read: No such file or directory"),
        (("run", "{m}", "-s", "{absent}"), "absent.yaml cannot be read"),
        (("run", "{m}", "-s", "{dir}"), "is a directory, a file is wanted"),
        (("run", "/dev/null", "-s", "{s}"), "there is nothing to simulate"),
        (("run", "{s}", "-s", "{m}"), "must be one document"),
        (("run", "{m}"), "Missing option '-s'"),
        (("run", "{m}", "-s", "{s}", "-o", "{m}"), "m.yaml cannot be written"),
        (("run", "{m}", "-s", "{s}", "--seed", "-1"), "--seed"),
        (("rollout", "{m}", "-s", "{s}"), "Missing option '--deployment'"),
        (("rollout", "{m}", "-s", "{s}", "--deployment", "wbe"), "names no Deployment: 'wbe'; there are: web, api"),
        (("rollout", "{m}", "-s", "{s}", "--deployment", "web", "--max-surge", "much"), "'much' is not numbers or percentages"),
        (("rollout", "{m}", "-s", "{s}", "--deployment", "web", "--max-surge", "0", "--max-unavailable", "0"), "must not both be 0"),
        (("autoscale", "{m}", "-s", "{s}", "--deployment", "web"), "--max is needed"),
        (("autoscale", "{m}", "-s", "{s}", "--deployment", "web", "--min", "3", "--max", "2"), "must not be below --min"),
        (("report", "{dir}"), "trace.json cannot be read"),
        (("compute", "a", "b"), "No such command 'compute'"),
        (("cutover",), "No such command 'cutover'"),
        (("sweep",), "No such command 'sweep'"),
        (("calibrate",), "No such command 'calibrate'"),
        (("validate",), "No such command 'validate'"),
        (("--wrong",), "No such option"),
    ],
)
def test_wrong_input_ends_in_2(ends: Ends, files: tuple[str, str], tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    names = {"m": files[0], "s": files[1], "dir": str(tmp_path), "absent": str(tmp_path / "absent.yaml")}
    status, out, err = ends(*(argument.format(**names) for argument in arguments))
    assert (status, out) == (2, "")
    assert message in err and "Traceback" not in err


def test_no_control_character_reaches_a_terminal(ends: Ends, files: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text('version: 1\n"\\e[31mload": {}\n')
    _, _, err = ends("run", files[0], "-s", files[1])
    assert "\x1b" not in err and "\\x1b" in err


def test_import_is_cheap() -> None:
    heavy = ("numpy", "numba", "matplotlib", "simpy", "pandas", "jinja2")
    code = f"import sys, simulate, simulate.cli; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_help_and_version(ends: Ends) -> None:
    assert "autoscale" in ends("--help")[1]
    assert ends("run", "--help")[0] == 0
