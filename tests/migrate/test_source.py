"""YAML text to plain data with places: scalars as go-yaml reads them, aliases, faults, limits."""

from __future__ import annotations

import pytest

from migrate.findings import Span
from migrate.source import DEEPEST, Node, Origin, SourceMap, Timestamp, Unreadable, number_text, read_yaml, resolve


def read(text: str) -> Node:
    documents, faults = read_yaml(text, "f.yaml")
    assert not faults
    return documents[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("tRUE", "tRUE"), ("TRUE", True), ("22:22", "22:22"), ("1.0.0", "1.0.0"), ("1e", "1e"), ("=", "="),
        ("0123", 83), ("0o17", 15), ("0O17", 15), ("0x1F", 31), ("0b11", 3), ("1_000", 1000), ("08", 8.0), ("1e3", 1000.0),
        (".5", 0.5), ("-.5", -0.5), ("~", None), ("", None), ("NULL", None), ("null", None), ("18446744073709551615", 2**64 - 1),
        ("1e400", "1e400"), ("2024-13-01", "2024-13-01"),
    ],
)  # fmt: skip
def test_plain_scalars(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


def test_dates_are_times_as_go_prints_them() -> None:
    assert resolve("2024-01-02") == Timestamp("2024-01-02 00:00:00 +0000 UTC")
    assert isinstance(read("a: 2024-01-02").plain()["a"], Timestamp)
    assert read("a: '2024-01-02'").plain() == {"a": "2024-01-02"}


@pytest.mark.parametrize(
    ("value", "text"), [(1e6, "1e+06"), (999999.5, "999999.5"), (1e-5, "1e-05"), (1e20, "1e+20"), (12, "12"), (float("nan"), "NaN")]
)
def test_numbers_as_go_prints_them(value: float, text: str) -> None:
    assert number_text(value) == text


def test_a_scalar_has_its_own_place_and_a_collection_that_of_its_key() -> None:
    root = read("a:\n  b: x\n  c:\n    - 1\n")
    spans = SourceMap.of(root)
    assert (spans.span("a").line, spans.span("a").column) == (1, 1)
    assert (spans.span("a", "b").line, spans.span("a", "b").column) == (2, 6)
    assert (spans.span("a", "c").line, spans.span("a", "c", 0).line) == (3, 4)
    assert spans.span("a", "c", 7).line == 3
    assert spans.written("a", "b") is None


def test_a_map_of_origins_answers_with_the_nearest_ancestor() -> None:
    place = Span(file="f", line=2, column=3)
    known = SourceMap({("a",): Origin(span=place, written="w")})
    assert known.span("a", "b") == place
    assert (known.written("a"), known.written("a", "b")) == ("w", None)
    assert SourceMap({}).span("x").line == 0


def test_merge_keys_are_shallow_and_the_earlier_wins() -> None:
    text = "a: &a {x: 1, m: {p: 1}}\nb: &b {x: 2, y: 2}\nc:\n  <<: [*a, *b]\n  m: {q: 1}\n"
    assert read(text).plain()["c"] == {"m": {"q": 1}, "x": 1, "y": 2}


def test_an_alias_stands_where_it_is_used_and_its_content_where_it_is_written() -> None:
    spans = SourceMap.of(read("x: &e\n  A: '1'\ny:\n  env: *e\n"))
    assert (spans.span("y", "env").line, spans.span("y", "env", "A").line) == (4, 2)


def test_tags_mean_something_only_where_compose_says_so() -> None:
    root = read("a: !reset null\nb: !override [1]\nc: !foo 7\nd: !!str 7\n")
    tags = {key: node.tag for key, node in root.value.items()}  # type: ignore[union-attr]
    assert tags == {"a": "!reset", "b": "!override", "c": "", "d": ""}
    assert root.plain()["c"] == "7"
    assert root.plain()["d"] == "7"


def test_a_key_given_twice_is_told_with_both_lines_and_the_last_is_taken() -> None:
    documents, faults = read_yaml("a: 1\nb:\n  c: 1\n  c: 2\n", "f.yaml")
    assert documents[0].plain() == {"a": 1, "b": {"c": 2}}
    assert [(f.kind, f.span.line, f.path, f.also[0].line) for f in faults] == [("duplicate-key", 4, ("b", "c"), 3)]


@pytest.mark.parametrize("text", ["1: a", "true: a", "~: a", "2024-01-02: a", "1.5: a"])
def test_keys_must_be_texts(text: str) -> None:
    documents, faults = read_yaml(text, "f.yaml")
    assert [f.kind for f in faults] == ["non-string-key"]
    assert list(documents[0].plain()) == [text.partition(":")[0]]


@pytest.mark.parametrize(
    ("text", "kind", "line"),
    [
        ("a: b: c", "yaml-syntax", 1),
        ("a:\n\tb: c", "yaml-syntax", 2),
        ("a: *b", "yaml-syntax", 1),
        ("a: &x [*x]", "yaml-alias-cycle", 1),
        ("a:\n  - &x {b: *x}", "yaml-alias-cycle", 2),
        ("a: 1\nb: \0", "yaml-syntax", 2),
        ("a: " + "[" * 100_000, "yaml-syntax", 1),
        ("- " * 5_000, "yaml-syntax", 1),
        ("a: {<<: [1]}", "yaml-syntax", 1),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(text: str, kind: str, line: int) -> None:
    with pytest.raises(Unreadable) as refused:
        read_yaml(text, "f.yaml")
    assert (refused.value.fault.kind, refused.value.fault.span.line) == (kind, line)


def test_aliases_cannot_blow_up_the_memory() -> None:
    bomb = "a: &a [1,1,1,1,1,1,1,1,1]\n"
    for one, two in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{two}: &{two} [{', '.join(['*' + one] * 9)}]\n"
    with pytest.raises(Unreadable, match="aliases expand"):
        read_yaml(bomb, "f.yaml")


def test_nesting_up_to_the_limit_is_read() -> None:
    depth = DEEPEST - 1
    assert read("a: " + "[" * depth + "]" * depth).plain()
