"""Whatever the input, an answer: bounded in time and memory, one clear fault with its file, line and column, and nothing waited for."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import pytest

from migrate.compose import discovery, load
from migrate.compose.faults import LONGEST, MOST_OF_A_KIND
from migrate.findings import Finding, Unusable
from tests.migrate.compose_attacks import ATTACKS, W, measured_by_name, reference_seconds

DEAREST: Final = 40.0
"""How many times as much CPU as an ordinary project of its size an attack may cost: they cost up to 6, what grows with the square hundreds.
No measure of time: the bound lies far from both, so that no noise of a machine decides."""


@pytest.fixture(scope="module")
def process() -> Iterator[ProcessPoolExecutor]:
    """A process of its own, whose memory is limited."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def ordinary(process: ProcessPoolExecutor) -> float:
    return process.submit(reference_seconds).result()


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_answered(name: str, process: ProcessPoolExecutor, ordinary: float) -> None:
    attack = ATTACKS[name]
    found = process.submit(measured_by_name, name).result()
    assert tuple(place[0] for place in found.places) == attack.told
    if attack.place is not None:
        assert found.places[0][1:] == attack.place
    assert found.findings <= 4 * MOST_OF_A_KIND and found.longest <= LONGEST + 40
    assert found.seconds < DEAREST * ordinary


def answered(folder: Path, text: str | bytes, files: Sequence[str] = ("compose.yaml",)) -> tuple[Finding, ...]:
    """The findings of a project, loaded or refused."""
    (folder / "compose.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        return load(files, directory=folder, environment={}, project_name="demo").findings
    except Unusable as refused:
        return refused.findings


def place(finding: Finding) -> tuple[str, str, int, int]:
    assert finding.span is not None
    return finding.code, finding.span.file, finding.span.line, finding.span.column


GOOD: Final = W + "    user: é\n"


@pytest.mark.parametrize(
    "data",
    [GOOD.encode("utf-8-sig"), GOOD.replace("\n", "\r\n").encode(), GOOD.encode("utf-16"), GOOD.replace("\n", "\r").encode()],
    ids=["mark", "CRLF", "UTF-16", "CR"],
)
def test_other_forms_of_text_are_read(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "compose.yaml").write_bytes(data)
    assert load(["compose.yaml"], directory=tmp_path, environment={}).services["web"].data["user"] == "é"


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (GOOD.encode("latin-1"), 4, 11),
        (GOOD.encode("utf-16")[:-1], 4, 12),
        (GOOD.encode("utf-16-le"), 4, 22),
        (W.encode() + b"    user: a\x00b\n", 4, 12),
        (W.encode() + b"    user: a\x1bb\n", 4, 12),
        (b"\xff\xfe\xff\xfe\xff", 1, 2),
        (bytes(range(256)), 2, 118),
    ],
    ids=["latin-1", "half of UTF-16", "UTF-16 without mark", "NUL", "escape", "noise", "all bytes"],
)
def test_what_is_no_text_is_told_where_it_ceases_to_be(tmp_path: Path, data: bytes, line: int, column: int) -> None:
    (finding,) = answered(tmp_path, data)
    assert place(finding) == ("MIG001", "compose.yaml", line, column)


def test_nul_in_names_of_files(tmp_path: Path) -> None:
    keys = 'env_file: "\\0"\n    label_file: "\\0"\n    extends: {service: a, file: "\\0"}'
    found = answered(tmp_path, f'include: ["\\0"]\n{W}    {keys}\n')
    assert [place(f) for f in found] == [
        ("MIG004", "compose.yaml", 1, 11),
        ("MIG015", "compose.yaml", 5, 15),
        ("MIG004", "compose.yaml", 6, 17),
        ("MIG004", "compose.yaml", 7, 33),
    ]


USERS: Final = "include: [{0}]\n" + W + "    env_file: {0}\n    label_file: {0}\n    extends: {{file: {0}, service: x}}\n"


def other_kinds(folder: Path) -> dict[str, str]:
    """Names of things that are no files."""
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "one").symlink_to(folder / "two")
    (folder / "two").symlink_to(folder / "one")
    (folder / "gone").symlink_to(folder / "nowhere")
    return dict.fromkeys(("pipe", "folder", "loop", "one", "gone", "/dev/zero", "/dev/tty", "compose.yaml/below", "a" * 300, "a/" * 3000))


@pytest.mark.parametrize("number", range(10))
def test_files_that_are_none_are_told_at_their_users(tmp_path: Path, number: int) -> None:
    name = list(other_kinds(tmp_path))[number]
    found = answered(tmp_path, USERS.format(name))
    assert {(f.span.line, f.code) for f in found if f.span} == {
        (1, "MIG004"),
        (5, "MIG015"),
        (6, "MIG004"),
        (7, "MIG004"),
    } or name == "folder"
    assert {f.span.line for f in found if f.span} == {1, 5, 6, 7}
    assert all(name[:200] in f.message for f in found)
    (refused,) = answered(tmp_path, W, [name])
    assert refused.span is not None and refused.span.file == name.rstrip("/") and refused.code == "MIG004"


def test_an_env_file_of_the_project_that_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".env")
    assert [place(f) for f in answered(tmp_path, W)] == [("MIG015", ".env", 1, 1)]


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run as root, whom no mode stops: the system's answer is put in."""
    real = os.open

    def refusing(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if str(path).endswith("secret.env"):
            raise PermissionError(13, "Permission denied")
        return real(path, flags, mode, dir_fd=dir_fd)

    (tmp_path / "secret.env").write_text("A=1\n")
    monkeypatch.setattr(os, "open", refusing)
    (finding,) = answered(tmp_path, W + "    env_file: secret.env\n")
    assert place(finding) == ("MIG015", "compose.yaml", 4, 15)
    assert "Permission denied" in finding.message


def test_a_name_that_comes_to_mean_a_pipe_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name was a file when it was looked at, and is a FIFO when it is opened."""
    os.mkfifo(tmp_path / "v.env")
    (tmp_path / "regular").write_text("A=1\n")
    real = os.stat
    regular = real(tmp_path / "regular")
    monkeypatch.setattr(discovery.os, "stat", lambda path, **more: regular if str(path).endswith("v.env") else real(path, **more))
    (finding,) = answered(tmp_path, W + "    env_file: v.env\n")
    assert place(finding) == ("MIG015", "compose.yaml", 4, 15)
    assert stat.S_ISFIFO(real(tmp_path / "v.env").st_mode)


def test_files_outside_the_project_are_read_and_told(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "o.env").write_text("A=1\n")
    (tmp_path / "o.label").write_text("l=1\n")
    (tmp_path / "o.yaml").write_text("services: {x: {image: base, user: u}}\n")
    (here / "inside").symlink_to(tmp_path / "o.env")
    keys = f"env_file: [../o.env, inside]\n    label_file: {tmp_path}/o.label\n    extends: {{file: ../o.yaml, service: x}}"
    text = f"include: [../o.yaml]\n{W}    {keys}\n"
    (here / "compose.yaml").write_text(text)
    project = load(["compose.yaml"], directory=here, environment={})
    web = project.services["web"]
    assert (web.environment["A"].value, web.labels, web.data["user"]) == ("1", {"l": "1"}, "u")
    told = {(f.span.line, f.span.column) for f in project.findings if f.code == "MIG424" and f.span}
    assert told == {(1, 11), (5, 16), (6, 17)}


def test_files_that_lead_to_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("include: [b.yaml]\nservices:\n  s: {extends: {file: b.yaml, service: s}}\n")
    (tmp_path / "b.yaml").write_text("include: [a.yaml]\nservices:\n  s: {extends: {file: a.yaml, service: s}}\n")
    found = answered(tmp_path, "include: [a.yaml]\n" + W)
    assert {("MIG025", "b.yaml", 1, 11), ("MIG025", "b.yaml", 3, 7)} <= {place(f) for f in found if f.code == "MIG025"}


def test_ten_thousand_services_are_all_there(tmp_path: Path) -> None:
    text = "services:\n" + "".join(
        f"  s{i}: {{image: i, environment: {{A: '{i}'}}, depends_on: [s{(i + 1) % 9999}]}}\n" for i in range(10_000)
    )
    (tmp_path / "compose.yaml").write_text(text)
    project = load(["compose.yaml"], directory=tmp_path, environment={})
    assert [project.services[f"s{i}"].environment["A"].value for i in (0, 9_999)] == ["0", "9999"]
    assert len(project.services) == 10_000
    assert project.spans.span("services", "s9999", "image").line == 10_001


def test_of_very_many_faults_the_number_is_told(tmp_path: Path) -> None:
    found = answered(tmp_path, W + "".join(f"    key{i}: 1\n" for i in range(MOST_OF_A_KIND + 500)))
    last = found[-1]
    assert len(found) == MOST_OF_A_KIND + 1
    assert last.message == "500 more faults of this kind from here on are not told one by one [unknown-key]"
    assert place(last)[1:3] == ("compose.yaml", MOST_OF_A_KIND + 4)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (GOOD.encode("utf-16"), None),
        (GOOD.encode("utf-8-sig"), None),
        (GOOD.encode("latin-1"), ("MIG001", "-", 4, 11)),
        (b"# x\n" * (3 << 20), ("MIG004", "-", 1, 1)),
    ],
    ids=["UTF-16", "mark", "latin-1", "large"],
)
def test_standard_input_is_read_as_files_are(tmp_path: Path, data: bytes, said: tuple[str, str, int, int] | None) -> None:
    if said is None:
        assert load(["-"], stdin=data, directory=tmp_path, environment={}).services["web"].data["user"] == "é"
        return
    with pytest.raises(Unusable) as refused:
        load(["-"], stdin=data, directory=tmp_path, environment={})
    assert [place(f) for f in refused.value.findings] == [said]
