"""The report: its order, what it must say, that it needs nothing from outside, and the run directory it is made again from."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import simulate
from simulate import report
from simulate.problems import InputError, OutputError
from simulate.report.blocks import Picture
from tests.simulate import made


@pytest.fixture(scope="module")
def result() -> simulate.Result:
    spec, digests = simulate._read(made.manifests(), made.scenario(), None, None)
    traces = tuple(made.trace(spec, failures=n, seed=n) for n in (3, 5))
    settings = {"deployment": "web"}
    alternatives = (simulate.Alternative("one", spec, traces, settings), simulate.Alternative("<two>", spec, traces[:1], settings))
    return simulate.Result(alternatives, digests, "simulate run . -s 's<1>.yaml'")


@pytest.fixture(scope="module")
def texts(result: simulate.Result) -> dict[str, str]:
    return report.files(result.recorded())


class Page(HTMLParser):
    """Open tags of a page, and what is referred to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.depth: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "br"):
            self.depth.append(tag)
        self.ids += [value or "" for key, value in attrs if key == "id"]
        self.links += [value or "" for key, value in attrs if key in ("href", "src", "xlink:href")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.depth or self.depth.pop() != tag:
            self.wrong.append(tag)


def test_sections_stand_in_the_order_of_the_contract(result: simulate.Result) -> None:
    told = result.report()
    assert [section.key for section in told.sections] == ["answer", "users", "cluster", "alternatives", "assumptions", "again"]


def test_page_is_well_formed_and_needs_nothing_from_outside(texts: dict[str, str]) -> None:
    page = Page(texts["report.html"])
    assert page.wrong == [] and page.depth == []
    assert len(page.ids) == len(set(page.ids))
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert "http" not in re.sub(r"https?://www\.w3\.org\S*", "", texts["report.html"])
    assert "<script" not in texts["report.html"]


def test_plots_have_titles_units_and_their_numbers(result: simulate.Result) -> None:
    pictures = [block for section in result.report().sections for block in section.blocks if isinstance(block, Picture)]
    assert {"latency-0", "errors-0", "load-0", "pods", "replicas-0", "cpu-0", "memory-0", "waterfall"} <= {p.name for p in pictures}
    for picture in pictures:
        assert picture.title and picture.says and picture.numbers.rows
        svg = picture.svg()
        assert "var(--ink" in svg and "<svg" in svg
        assert re.search(r"\((minutes|ms|cores|percent)\)|pods|MiB|requests / s|seconds", svg)


def test_every_assumption_is_on_page_one_and_at_the_end(result: simulate.Result) -> None:
    data = json.loads(report.as_json(result.report()))
    assert data["assumptions"][0]["origin"] == "guess"
    sections = {section["key"]: json.dumps(section) for section in data["sections"]}
    for assumption in data["assumptions"]:
        assert assumption["subject"] in sections["answer"] and assumption["reason"] in sections["assumptions"]


def test_numbers_have_intervals_or_the_mark_of_one_draw(texts: dict[str, str]) -> None:
    answer = texts["report.md"].split("## 2.")[0]
    assert re.search(r"web error ratio \| 0\.\d+ % \(0[\d.]* % to 0\.\d+ %\)", answer)
    assert "\\<two\\>" in texts["report.md"] and "(one draw)" in texts["report.md"].split("## 4.")[1]


def test_again_names_command_versions_seeds_and_digests(texts: dict[str, str]) -> None:
    last = texts["report.md"].split("## 6.")[1]
    for text in ("simulate run . -s 's\\<1\\>.yaml'", "3, 5", "version of numpy", "SHA-256 of scenario"):
        assert text in last


def test_same_trace_same_bytes_also_from_the_directory(result: simulate.Result, texts: dict[str, str], tmp_path: Path) -> None:
    result.write(tmp_path / "run")
    assert {path.name: path.read_text() for path in (tmp_path / "run").iterdir()} == texts
    assert report.files(report.read(tmp_path / "run")) == texts


def test_several_directories_are_put_side_by_side(result: simulate.Result, tmp_path: Path) -> None:
    result.write(tmp_path / "a")
    recorded = report.read(tmp_path / "a")
    both = report.joined([("a", recorded), ("b", recorded)])
    assert [variant.label for variant in both.variants] == ["a: one", "a: <two>", "b: one", "b: <two>"]


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"version": 9}', "nonsense", "[" * 100_000], ids=["empty", "no keys", "list", "version", "text", "deep"]
)
def test_what_is_no_trace_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_text(text)
    with pytest.raises(InputError, match="is no trace that `simulate` wrote"):
        report.read(tmp_path)
    with pytest.raises(InputError, match="is no directory"):
        report.read(tmp_path / "absent")


def test_all_or_nothing_is_written(result: simulate.Result, tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="cannot be written"):
        result.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "report.json"]
    with pytest.raises(OutputError):
        result.write(tmp_path / "mine.txt" / "below")


def test_requests_without_an_answer_are_told_on_page_one() -> None:
    """A lost host answers nothing: without a timeout its requests are neither ok nor failed, and the error ratio says nothing."""
    said = {**made.scenario(), "events": [{"at": "1m", "nodeLoss": "general", "for": "1m"}], "horizon": "3m"}
    result = simulate.run(made.manifests(), said)
    felt = result.summary().totals[0]
    assert felt.in_flight > 100
    assert f"{felt.in_flight:,} of {felt.arrived:,} requests to web had no answer when the run ended" in report.markdown(result.report())


def test_a_daemonset_has_one_pod_a_node() -> None:
    agent = made.deployment("agent")
    agent["kind"] = "DaemonSet"
    del agent["spec"]["replicas"]
    result = simulate.run([*made.manifests(), agent], {**made.scenario(), "horizon": "1s"})
    assert "| agent | 2, one a node |" in report.markdown(result.report())
