"""Texts inside the files: interpolation, env files, commands, durations and sizes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from migrate.compose import config_text, load
from migrate.compose.allowance import Allowance
from migrate.compose.envfile import parse_env, parse_raw_env
from migrate.compose.interpolate import InterpolationFault, Seen, interpolate
from migrate.compose.short import PortFault, read_port
from migrate.compose.units import duration_ns, duration_text, size_bytes, split_command

KNOWN = {"V": "val", "E": "", "N": "5"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$V", "val"),
        ("${V}x", "valx"),
        ("$Vx", ""),
        ("${U:-d}", "d"),
        ("${E:-d}", "d"),
        ("${E-d}", ""),
        ("${V:+r}", "r"),
        ("${E:+r}", ""),
        ("${E+r}", "r"),
        ("${U+r}", ""),
        ("${U:-${W:-${V}}}", "val"),
        ("$$V", "$V"),
        ("$$$V", "$val"),
        ("5$", "5$"),
        ("$1 $?", "$1 $?"),
        ("${U:-http://h:80/p?q=1}", "http://h:80/p?q=1"),
        ("${U:-a:-b}", "a:-b"),
        ("${U:--}", "-"),
        ("${U:-{a}}", "{a}"),
        ("${E:-}", ""),
        ("${V:-}}", "val}"),
    ],
)
def test_interpolation(text: str, result: str) -> None:
    assert interpolate(text, KNOWN.get) == result


@pytest.mark.parametrize("text", ["${V", "${}", "${V!x}", "${ V}", "${V W}", "${1}", "${U:-a\nb}"])
def test_bad_substitutions(text: str) -> None:
    with pytest.raises(InterpolationFault) as fault:
        interpolate(text, KNOWN.get)
    assert fault.value.kind == "interpolation-format"


def test_required_variables_and_lazy_defaults() -> None:
    with pytest.raises(InterpolationFault, match="required variable U is missing a value: set val"):
        interpolate("${U:?set $V}", KNOWN.get)
    assert interpolate("${V:-${U:?must}}", KNOWN.get) == "val"
    seen = Seen()
    interpolate("$V $U $U", KNOWN.get, seen)
    assert (list(seen.unset), seen.used) == (["U"], {"V": "val"})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A = 1 # c\n", {"A": "1"}),
        ("A=1#c\n", {"A": "1#c"}),
        ("A= # c\n", {"A": "# c"}),
        ("export A=1\n", {"A": "1"}),
        ("A: x\n", {"A": "x"}),
        ("A='$V' # c\n", {"A": "$V"}),
        ('A="$V"\n', {"A": "val"}),
        ("A=x$V\n", {"A": "xval"}),
        ('A="a\\nb"\n', {"A": "a\nb"}),
        ("A='a\\nb'\n", {"A": "a\\nb"}),
        ('A="q\\"q"\n', {"A": 'q"q'}),
        ('A="\\$V"\n', {"A": "$V"}),
        ('A="\\0101"\n', {"A": "A"}),
        ('A="x\ny"\nB=2\n', {"A": "x\ny", "B": "2"}),
        ("V\nU\nB=1\n", {"V": "val", "B": "1"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("\ufeffA=1\n", {"A": "1"}),
        ("A=1\nB=${A}2\n", {"A": "1", "B": "12"}),
        ("V=file\nB=$V\n", {"V": "file", "B": "val"}),
        ("A=a\\\nB=2\n", {"A": "a\\", "B": "2"}),
        ("A.b-c=1\n", {"A.b-c": "1"}),
        ("A=$$x\n", {"A": "$x"}),
    ],
)
def test_env_files(text: str, values: dict[str, str]) -> None:
    read = parse_env(text, "v.env", KNOWN.get)
    assert read.texts() == values
    assert [fault.kind for fault in read.faults if not fault.kind.startswith("MIG061")] == []


def test_an_env_value_has_its_place() -> None:
    read = parse_env('# c\n\n  export  A = "x\ny"\nB=$V\n', "v.env", KNOWN.get)
    assert [(str(v.span), v.written) for v in read.values.values()] == [("v.env:3:15", '"x\ny"'), ("v.env:5:3", "$V")]


def test_raw_env_files_are_left_alone() -> None:
    assert parse_raw_env("A='q $V' # c\n# x\nV\n", "v.env", KNOWN.get).texts() == {"A": "'q $V' # c", "V": "val"}


@pytest.mark.parametrize(
    ("text", "words", "cut"),
    [
        ('echo "a b" c\\ d', ["echo", "a b", "c d"], False),
        ("a; b", ["a"], True),
        ("a 2>&1", ["a"], True),
        ("", [], False),
        ("a `b c`", ["a", "`b c`"], False),
        ("a $(b c)", ["a", "$(b c)"], False),
        ("a\\nb", ["a\nb"], False),
        ("a '' b", ["a", "", "b"], False),
        ("(a)", None, False),
        ("a 'b", None, False),
        ("a\\", None, False),
    ],
)
def test_commands(text: str, words: list[str] | None, cut: bool) -> None:
    assert split_command(text) == (words, cut)


@pytest.mark.parametrize(
    ("text", "printed"),
    [("1d", "24h0m0s"), ("1w", "168h0m0s"), ("1.5h", "1h30m0s"), ("100us", "100µs"), ("-1s", "-1s"), ("0", "0s"), ("90s", "1m30s")],
)
def test_durations(text: str, printed: str) -> None:
    nanoseconds = duration_ns(text)
    assert nanoseconds is not None
    assert duration_text(nanoseconds) == printed


@pytest.mark.parametrize("text", ["5", "", "1h 2m", "s", "1y", "9999999999h", "1h-1m"])
def test_what_is_no_duration(text: str) -> None:
    assert duration_ns(text) is None


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64k", 65536),
        ("1.5G", 1610612736),
        ("10 m", 10485760),
        ("1kib", 1024),
        ("0.5m", 524288),
        ("64Mi", None),
        ("m", None),
        ("10x", None),
        ("-1", None),
    ],
)
def test_sizes(text: str, size: int | None) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("90-92:80-81", "bad-port"),
        ("92-90:80", "bad-port"),
        ("65536", "bad-port"),
        ("80/icmp", "bad-port"),
        ("80:", "bad-port"),
        ("1.2.3:80:80", "bad-ip"),
        ("localhost:1:1", "bad-ip"),
        ("", "bad-port"),
        (" 80:80", "bad-port"),
    ],
)
def test_what_is_no_port(text: str, kind: str) -> None:
    with pytest.raises(PortFault) as fault:
        read_port(text, Allowance())
    assert fault.value.kind == kind


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_what_is_dumped_is_read_back(form: str, tmp_path: Path) -> None:
    odd = ["", " ", "a ", " a", "a: b", "a:b", "a #b", "a#b", "- a", "-", "*a", "&a", "!a", "%a", "@a", "`a`", "a\nb", "a\tb", "'a'", '"a"']
    odd += ["{a}", "[a]", "a, b", "<<", "=", "?", "a?", "a:", ":a", "\\", "\x7f\u2028\ufeff\U0001f600", "yes", "No", "null", "~"]
    odd += ["1", "0x1", "1e3", ".5", "1_0", "2024-01-01", "12:30", ".inf", "+1", "/a", "a/b:c", "a=b", "=a"]
    numbers = [0.5, 1e20, 1e-7, -3, True, False, None, 1e16, [], {}, [[1, []], {}], {"a": [{"b": {"c": [1]}}]}]
    text = json.dumps({"services": {"web": {"image": "i"}}, "x-odd": odd, "x-keys": dict.fromkeys(odd, 1), "x-numbers": numbers})
    loaded = load(["-"], stdin=text.replace("\\ud83d\\ude00", "\U0001f600"), directory=tmp_path, environment={})
    read = json.loads if form == "json" else yaml.safe_load
    assert read(config_text(loaded, form)) == loaded.data
