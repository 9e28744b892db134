"""The command line: what goes to which stream, the exit codes, and options before or after the command."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from migrate.cli import main
from migrate.source import read_yaml

REPOSITORY = Path(__file__).resolve().parents[2]
SHOP = "samples/shop/docker-compose.yml"
SLIDES = "samples/slides/docker-compose.yml"
GHOST = "samples/ghost/docker-compose.yml"
SMALL = """\
services:
  web: {image: "nginx:1.27", ports: ["8080:80"], environment: {DB: "10.9.0.3:5432"}, networks: {n: {ipv4_address: 10.9.0.2}}}
  db: {image: "postgres:16", environment: {POSTGRES_PASSWORD: hunter2}, networks: {n: {ipv4_address: 10.9.0.3}}}
networks: {n: {ipam: {config: [{subnet: 10.9.0.0/24}]}}}
"""


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


@pytest.fixture
def small(tmp_path: Path) -> str:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "compose.yaml").write_text(SMALL)
    return str(tmp_path / "small" / "compose.yaml")


class Said:
    """What one run of the command printed, and its exit code."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._capfd.readouterr()
        code = main(arguments)
        out, err = self._capfd.readouterr()
        return code, out, err


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Said:
    return Said(capfd)


def test_convert_prints_manifests_and_tells_findings(run: Said) -> None:
    code, out, err = run("convert", "-f", SLIDES)
    manifests = list(yaml.safe_load_all(out))
    assert code == 1
    assert {m["metadata"]["name"] for m in manifests if m["kind"] == "Deployment"} == {"cas", "activemq", "solr"}
    assert f"{SLIDES}:7:7 MIG017 error" in err and "prod_net" in err
    assert f"{SLIDES}:16:21 MIG055 warning" in err
    assert "-o DIR" in err.splitlines()[-1]
    _, _, err = run("convert", "-f", SLIDES, "-v")
    assert f"{SLIDES}:1:10 MIG050 info" in err
    assert all(f"MIG201 info: {address}" in err or address in err for address in ("10.10.10.4", "10.10.10.6", "10.10.10.8"))


def test_fail_on_decides_the_status_alone(run: Said) -> None:
    first = run("convert", "-f", SLIDES)
    assert run("convert", "-f", SLIDES, "--fail-on", "never") == (0, *first[1:])
    assert run("convert", "-f", GHOST)[0] == 0
    assert run("convert", "-f", SHOP, "--fail-on", "warning")[0] == 1


def test_options_stand_before_or_after_the_command(run: Said) -> None:
    after = run("config", "-f", SHOP, "-p", "other")
    assert run("-f", SHOP, "-p", "other", "config") == after
    assert run("-p", "other", "config", "-f", SHOP) == after
    assert yaml.safe_load(after[1])["name"] == "other"


def test_standard_input_is_a_file(run: Said, small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path(small).read_bytes())))
    code, out, _ = run("config", "-f", "-", "-p", "small", "--format", "json")
    assert code == 0 and list(json.loads(out)["services"]) == ["db", "web"]


def test_a_tree_is_written_once_and_then_as_it_was(run: Said, small: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    code, out, err = run("convert", "-f", small, "-o", str(folder))
    assert (code, out) == (0, "") and f"kubectl apply -f {folder}" in err.splitlines()[-1]
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert run("convert", "-f", small, "-o", str(folder))[0] == 0
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    assert (folder / "05-secrets.yaml").stat().st_mode & 0o777 == 0o600
    for path in folder.iterdir():
        if path.suffix in (".yaml", ".yml", ".json"):
            assert all({"apiVersion", "kind", "metadata"} <= document.plain().keys() for document in read_yaml(path.read_text(), "x")[0])


def test_stream_and_tree_hold_the_same_objects(run: Said, small: str, tmp_path: Path) -> None:
    _, out, _ = run("convert", "-f", small)
    run("convert", "-f", small, "-o", str(tmp_path / "out"))
    files = sorted(path for path in (tmp_path / "out").iterdir() if path.suffix == ".yaml")
    written = [document for path in files for document in yaml.safe_load_all(path.read_text())]
    assert sorted(map(repr, written)) == sorted(map(repr, yaml.safe_load_all(out)))


def test_dry_run_and_diff_write_nothing(run: Said, small: str, tmp_path: Path) -> None:
    folder, report = tmp_path / "out", tmp_path / "r.md"
    assert run("convert", "-f", small, "-o", str(folder), "--dry-run", "--report", str(report))[0] == 0
    code, out, _ = run("convert", "-f", small, "-o", str(folder), "--diff")
    assert code == 0 and "+kind: Deployment" in out and not folder.exists() and not report.exists()
    run("convert", "-f", small, "-o", str(folder))
    assert run("convert", "-f", small, "-o", str(folder), "--diff")[1] == ""
    Path(small).write_text(SMALL.replace("nginx:1.27", "nginx:1.28"))
    assert "-        image: nginx:1.27" in (diff := run("convert", "-f", small, "-o", str(folder), "--diff")[1]).replace("- image", "image")
    assert "hunter2" not in diff


def test_every_form_of_report(run: Said, small: str, tmp_path: Path) -> None:
    names = [str(tmp_path / f"report{suffix}") for suffix in (".txt", ".md", ".html", ".json", ".sarif")]
    assert run("convert", "-f", small, *(part for name in names for part in ("--report", name)))[0] == 0
    texts = [Path(name).read_text() for name in names]
    assert all("10.9.0.3" in text for text in texts) and not any("hunter2" in text for text in texts)
    data = json.loads(texts[3])
    assert {use["file"] for entry in data["addresses"] for use in entry["uses"]} == {"compose.yaml"}


def test_no_password_on_any_terminal(run: Said, small: str) -> None:
    for command in ("convert", "inspect", "addresses", "graph", "scenario"):
        _, out, err = run(command, "-f", small, "-v")
        assert "hunter2" not in err
        assert command == "convert" or "hunter2" not in out


def test_what_is_not_there_yet_is_a_wrong_command_line(run: Said, small: str) -> None:
    converting = ["--format helm", "--format kustomize", "--addresses pin", "--service-cidr 10.96.0.0/31", "--service-cidr me"]
    converting += ["--report x.pdf", "--diff", "--kubernetes-version 1.12", "--fail-on info"]
    others = [
        "graph -o x.png",
        "rules MIG000",
        "nothing",
        "verify . --external secret",
        "verify",
        "config --format xml",
        "",
    ]
    wrong = [line.split() for line in (*(f"convert {options}" for options in converting), *others)]
    for arguments in wrong:
        code, out, err = run(*(["-f", small] if arguments and arguments[0] != "rules" else []), *arguments)
        assert (code, out) == (2, "") and err and "Traceback" not in err, arguments


def test_help_and_version(run: Said) -> None:
    code, out, _ = run("--help")
    commands = ("convert", "config", "inspect", "addresses", "graph", "scenario", "verify", "rules")
    assert code == 0 and all(f"  {command} " in out for command in commands)
    assert run("--version")[:2] == (0, "migrate 0.1.0\n")
    assert run("convert", "--help")[0] == 0


def test_inspect_shows_what_the_stack_means(run: Said) -> None:
    code, out, _ = run("inspect", "-f", SHOP)
    assert code == 0
    for part in ("shop-lb", "172.28.0.30", "Who calls whom", "Start order", "Cutover waves", "published 8080->80"):
        assert part in out
    data = json.loads(run("inspect", "-f", SHOP, "--format", "json")[1])
    app = next(service for service in data["services"] if service["name"] == "app1")
    assert {call["service"] for call in app["calls"]} == {"mysql", "redis", "activemq"}
    assert next(s for s in data["services"] if s["name"] == "mysql")["calledBy"] == ["app1", "app2", "init"]


def test_addresses_are_told_with_each_use(run: Said) -> None:
    code, out, _ = run("addresses", "-f", SHOP)
    assert code == 0 and "172.28.0.30" in out and "docker-compose.yml:" in out
    entries = {entry["address"]: entry for entry in json.loads(run("addresses", "-f", SHOP, "--format", "json")[1])}
    mysql = entries["172.28.0.30"]
    assert (mysql["service"], mysql["network"], mysql["outcome"]) == ("mysql", "shop_net", "name")
    use = next(use for use in mysql["uses"] if use["service"] == "app1" and use["place"] == "environment")
    assert use.keys() == {"file", "line", "column", "service", "place", "text", "class", "self", "action", "new"}
    line = Path(SHOP).read_text().splitlines()[use["line"] - 1]
    assert use["file"] == "docker-compose.yml" and line[use["column"] - 1 :].startswith("172.28.0.30") and use["new"] == "mysql"


def test_graph_in_every_form(run: Said, tmp_path: Path) -> None:
    code, out, _ = run("graph", "-f", SHOP)
    assert code == 0 and out.startswith("flowchart") and "mysql" in out
    for name, start in (("g.mmd", "flowchart"), ("g.dot", "digraph"), ("g.svg", "<svg")):
        assert run("graph", "-f", SHOP, "-o", str(tmp_path / name))[:2] == (0, "")
        assert (tmp_path / name).read_text().startswith(start)


def test_what_convert_wrote_is_verified_without_errors(run: Said, tmp_path: Path) -> None:
    run("convert", "-f", SHOP, "-o", str(tmp_path / "out"))
    code, out, err = run("verify", str(tmp_path / "out"), "-f", SHOP)
    assert code == 0 and "error" not in out, (out, err)
    data = json.loads(run("verify", str(tmp_path / "out"), "--format", "json")[1])
    assert [finding for finding in data["findings"] if finding["severity"] == "error"] == []


def test_verify_tells_a_fault_on_its_line(run: Said, tmp_path: Path) -> None:
    run("convert", "-f", GHOST, "-o", str(tmp_path / "out"))
    path = next(iter((tmp_path / "out").glob("20-nginx.yaml")))
    path.write_text(path.read_text().replace("image: nginx", "imaeg: nginx"))
    code, out, _ = run("verify", str(path.parent))
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if "imaeg" in text)
    assert code == 1 and f"{path}:{line}:" in out and "did you mean 'image'" in out


def test_rules_explain(run: Said) -> None:
    assert run("rules", "MIG210")[1].startswith("MIG210 (error)")
    assert len(json.loads(run("rules", "--format", "json")[1])) > 200


def test_a_plan_is_written_and_taken(run: Said, small: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    assert run("convert", "-f", small, "--write-plan", str(plan))[0] == 0
    first = run("convert", "-f", small)[1]
    assert run("convert", "-f", small, "--plan", str(plan))[1] == first
    code, _, err = run("convert", "-f", small, "--write-plan", str(plan))
    assert code == 2 and "may hold answers" in err
    plan.write_text("version: 1\nservices: {web: {replicas: 3}}\n")
    documents = yaml.safe_load_all(run("convert", "-f", small, "--plan", str(plan))[1])
    assert next(d for d in documents if d["kind"] == "Deployment" and d["metadata"]["name"] == "web")["spec"]["replicas"] == 3


def process(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run([sys.executable, "-m", "migrate", *arguments], capture_output=True, check=False, env=environment, **options)  # type: ignore[call-overload, no-any-return]


def test_convert_loads_nothing_heavy() -> None:
    program = "import sys; from migrate.cli import main; main(['convert', '-f', sys.argv[1]]); print(*sys.modules, file=sys.stderr)"
    ended = subprocess.run([sys.executable, "-c", program, SHOP], capture_output=True, check=True)
    loaded = set(ended.stderr.decode().splitlines()[-1].split())
    assert not loaded & {"numpy", "kubernetes", "jsonschema", "networkx", "rich", "jinja2", "matplotlib", "kubernetes_validate"}


def test_a_full_device_is_told_with_status_2() -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run([sys.executable, "-m", "migrate", "rules"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 2 and b"standard output" in ended.stderr and b"Traceback" not in ended.stderr


def test_any_hash_seed_gives_the_same_bytes() -> None:
    outputs = set()
    for seed in ("0", "1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        ended = subprocess.run(
            [sys.executable, "-m", "migrate", "convert", "-f", SHOP, "-v"], capture_output=True, check=False, env=environment
        )
        outputs.add((ended.returncode, ended.stdout, ended.stderr))
    assert len(outputs) == 1
