"""Every lexical trap that real stacks held (static-addresses.md 2.4), each through the whole engine: what the text is afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from migrate.addresses.types import RewrittenService
from tests.migrate.stacks import NET, addressed, meaning, uses

_STACK = """
services:
  web:
    image: {image}
    {web}
    networks: {{n: {{ipv4_address: 172.28.0.10}}}}
  db: {{image: "db:1", networks: {{n: {{ipv4_address: 172.28.0.20}}}}}}
  db1: {{image: "db:1", networks: {{n: {{ipv4_address: 172.28.0.201}}}}}}
  one: {{image: "one:1", networks: {{n: {{ipv4_address: 172.28.0.1}}}}}}
"""
_NET = NET.replace("172.28.0.0/24}", "172.28.0.0/24, gateway: 172.28.0.254}")


@dataclass(frozen=True, kw_only=True)
class Trap:
    """One trap: the number of its item, what the specification quotes of it, the text, and the text afterwards (by default the same)."""

    item: int
    quotes: tuple[str, ...]
    before: str
    after: str | None = None


TRAPS: dict[str, Trap] = {
    "a literal that begins others": Trap(
        item=1,
        quotes=("172.16.239.10${NODE_ID}",),
        before="http://172.28.0.20$${ID}:9000/ 172.28.0.201",
        after="http://172.28.0.20${ID}:9000/ db1",
    ),
    "the longer one": Trap(item=1, quotes=(), before="172.28.0.20 172.28.0.201 172.28.0.1", after="db db1 one"),
    "a group of sed": Trap(item=2, quotes=("sed 's/…@…/\\1@172.16.239.1\\3/'",), before=r"sed 's/\(x\)@y\(.\)/\1@172.28.0.1\2/'"),
    "reversed octets": Trap(item=3, quotes=(), before="20.0.28.172.in-addr.arpa 172.28.0.20.in-addr.arpa"),
    "a scan": Trap(item=3, quotes=("nmap 192.168.0.1-255",), before="nmap 172.28.0.1-255"),
    "a pool": Trap(item=3, quotes=("172.99.3.100 - 172.99.3.200",), before="172.28.0.20 - 172.28.0.99", after="172.28.0.20 - 172.28.0.99"),
    "a prefix length": Trap(item=3, quotes=("172.20.128.4/24 dev eth0",), before="172.28.0.20/24 dev eth0"),
    "a version": Trap(item=3, quotes=("0.4.5.7",), before="v172.28.0.20 tool-172.28.0.20 172.28.0.20-rc1 172.28.0.20_1"),
    "#port": Trap(item=4, quotes=("#port",), before="172.28.0.20#53", after="db#53"),
    "@port": Trap(item=4, quotes=("@port",), before="172.28.0.20@53", after="db@53"),
    ":port": Trap(item=4, quotes=(":port",), before="172.28.0.20:53", after="db:53"),
    "/32": Trap(item=4, quotes=("/32",), before="172.28.0.20/32", after="db"),
    "!public": Trap(item=4, quotes=("!public", "rtpengine 172.38.0.14!172.38.0.14"), before="172.28.0.20!172.28.0.20", after="db!db"),
    "a path of colons": Trap(
        item=4, quotes=("conf:phpfpm:tcp:172.16.238.10:9000",), before="conf:phpfpm:tcp:172.28.0.20:9000", after="conf:phpfpm:tcp:db:9000"
    ),
    "a table of blanks": Trap(item=4, quotes=("8081 172.28.0.100 tcp",), before="8081 172.28.0.20 tcp", after="8081 db tcp"),
    "JSON in a variable": Trap(item=4, quotes=(), before=r"{\"db\": {\"host\": \"172.28.0.20\"}}", after='{"db": {"host": "db"}}'),
    "YAML in a variable": Trap(
        item=4, quotes=(), before=r"db:\n  host: \"172.28.0.20\"\n  port: 1\n", after='db:\n  host: "db"\n  port: 1\n'
    ),
    "dollars": Trap(item=5, quotes=("$$",), before="$$HOME/$$(hostname) http://172.28.0.20/$$x", after="$HOME/$(hostname) http://db/$x"),
    "nested defaults": Trap(item=5, quotes=("${A:-${B:-x}}",), before="http://${A:-${B:-172.28.0.20}}:1/", after="http://db:1/"),
    "a placeholder": Trap(item=7, quotes=("192.168.xxx.yyy",), before="172.28.0.xxx 172.28.xxx.20"),
    "a word in its place": Trap(item=7, quotes=("IP_ADDRESS",), before="http://IP_ADDRESS/ __172.28.0.20__"),
    "a template": Trap(
        item=7,
        quotes=("{{ .Env.X }}",),
        before="{{ .Env.X }} {{ ip }} {% if x %}172.28.0.20{% endif %}",
        after="{{ .Env.X }} {{ ip }} {% if x %}172.28.0.20{% endif %}",
    ),
}
STACKS: dict[str, tuple[int, tuple[str, ...]]] = {
    "an image": (3, ("lncm/tor:0.4.5.7",)),
    "extra_hosts with =": (4, ("=IP", "extra_hosts")),
    "a here-document": (4, ()),
    "keys in block lists": (5, ()),
    "quoted keys": (5, ()),
    "PWD": (5, ("${PWD}/x:/y",)),
    "no env file": (5, ("env_file",)),
    "one address under several profiles": (6, ()),
    "one service in five files": (6, ()),
}
"""Traps that need a stack of their own: a test function for each, below."""


def _web(folder: Path, web: str, files: dict[str, str] | None = None, image: str = "web:1") -> RewrittenService:
    return addressed(meaning(folder, _STACK.format(web=web, image=image) + _NET, files)).outcome.services["web"]


@pytest.mark.parametrize("name", TRAPS)
@pytest.mark.parametrize("place", ["environment", "command", "file"])
def test_a_trap(tmp_path: Path, name: str, place: str) -> None:
    trap = TRAPS[name]
    same = trap.before.replace("$$", "$")
    after = trap.after if trap.after is not None else same
    if place == "environment":
        service = _web(tmp_path, f'environment: {{V: "{_escaped(trap.before)}"}}')
        assert service.environment["V"] == after
    elif place == "command":
        service = _web(tmp_path, f'command: ["echo", "{_escaped(trap.before)}"]')
        assert service.command == ("echo", after)
    elif "${" not in trap.before:
        text = trap.before.replace('\\"', '"').replace("\\n", "\n") if "\\(" not in trap.before else trap.before
        text = text.replace("$$", "$")
        service = _web(tmp_path, "volumes: ['./a.txt:/srv/a.txt:ro']", {"a.txt": text})
        assert service.files[str(tmp_path / "a.txt")].text == after


def _escaped(text: str) -> str:
    """A text of the table in double quotes of YAML: back-slashes that begin no escape of the table are doubled."""
    return re.sub(r'\\(?![n"])', r"\\\\", text)


def test_an_image(tmp_path: Path) -> None:
    meant = meaning(tmp_path, _STACK.format(web="environment: {APP_IMAGE: 'lncm/tor:172.28.0.20'}", image="lncm/tor:172.28.0.20") + _NET)
    assert uses(addressed(meant), "web") == []
    assert addressed(meant).outcome.services["web"].environment == {"APP_IMAGE": "lncm/tor:172.28.0.20"}


def test_extra_hosts_with_an_equals_sign(tmp_path: Path) -> None:
    decided = addressed(meaning(tmp_path, _STACK.format(web='extra_hosts: ["data=172.28.0.20", "x.y=9.9.9.9"]', image="w:1") + _NET))
    assert [(u.use.token, u.action) for u in uses(decided, "web")] == [("172.28.0.20", "dropped"), ("9.9.9.9", "left")]
    assert decided.outcome.services["web"].host_aliases == {"9.9.9.9": ("x.y",)}


def test_a_here_document(tmp_path: Path) -> None:
    script = r"cat > /a.conf <<EOF\nbind 172.28.0.10\nupstream 172.28.0.20;\nEOF\nexec app --db 172.28.0.20"
    service = _web(tmp_path, f'command: ["sh", "-c", "{script}"]')
    assert service.command is not None
    assert service.command[2] == "cat > /a.conf <<EOF\nbind 0.0.0.0\nupstream db;\nEOF\nexec app --db db"


def test_keys_in_block_lists(tmp_path: Path) -> None:
    service = _web(tmp_path, "environment:\n      - A=172.28.0.20\n      - 'B=x 172.28.0.201'\n      - C")
    assert service.environment == {"A": "db", "B": "x db1", "C": None}


def test_quoted_keys(tmp_path: Path) -> None:
    text = _STACK.format(web='"environment": {\'A\': "172.28.0.20"}', image="w:1").replace("ipv4_address:", '"ipv4_address":')
    assert addressed(meaning(tmp_path, text + _NET)).outcome.services["web"].environment == {"A": "db"}


def test_pwd(tmp_path: Path) -> None:
    service = _web(tmp_path, 'volumes: ["${PWD}/a.conf:/srv/a.conf:ro"]', {"a.conf": "db=172.28.0.20\n"})
    assert [f.text for f in service.files.values()] == ["db=db\n"]


def test_no_env_file(tmp_path: Path) -> None:
    """What is missing is told; what stands elsewhere is still found."""
    meant = meaning(tmp_path, _STACK.format(web="env_file: [{path: gone.env}]\n    environment: {A: 172.28.0.20}", image="w:1") + _NET)
    assert addressed(meant).outcome.services["web"].environment == {"A": "db"}
    assert any("gone.env" in f.message for f in meant.project.findings)


def test_one_address_under_several_profiles(tmp_path: Path) -> None:
    """References mean the service that is selected."""
    on = "networks: {n: {ipv4_address: 172.28.0.40}}"
    jobs = "".join(f'  job{i}: {{image: "j:{i}", profiles: [p{i}], environment: {{ME: 172.28.0.40}}, {on}}}\n' for i in (1, 2, 3))
    text = "services:\n" + jobs + '  web: {image: "w:1", profiles: [p2], environment: {JOB: 172.28.0.40}, networks: [n]}\n' + _NET
    (tmp_path / "compose.yaml").write_text(text)
    from migrate import compose, stack

    meant = stack.resolve(compose.load(["compose.yaml"], directory=tmp_path, environment={}, profiles=["p2"]))
    services = addressed(meant).outcome.services
    assert services["web"].environment == {"JOB": "job2"}
    assert services["job2"].environment == {"ME": "$(POD_IP)"}


def test_one_service_in_five_files(tmp_path: Path) -> None:
    """The address and the environment of the last file that says them."""
    from migrate import compose, stack

    names = [f"c{i}.yaml" for i in range(5)]
    for i, name in enumerate(names):
        web, db = (f"networks: {{n: {{ipv4_address: 172.28.0.{at + i}}}}}" for at in (10, 20))
        part = f"services:\n  web: {{image: 'w:{i}', environment: {{V{i}: 172.28.0.{20 + i}}}, {web}}}\n  db{i}: {{image: 'db:1', {db}}}\n"
        (tmp_path / name).write_text(part + (NET if i == 0 else ""))
    decided = addressed(stack.resolve(compose.load(names, directory=tmp_path, environment={})))
    assert decided.outcome.services["web"].environment == {f"V{i}": f"db{i}" for i in range(5)}
    assert [a.owner.address for a in decided.outcome.addresses if a.owner.service == "web"] == ["172.28.0.14"]
    assert [u.use.span.file for u in uses(decided, "web")] == names


def test_every_trap_of_the_specification_has_a_test(shared: Path) -> None:
    text = (shared / "specs" / "static-addresses.md").read_text(encoding="utf-8")
    section = text[text.index("### 2.4") : text.index("### 2.5")]
    items = {int(n): body for n, body in re.findall(r"^(\d+)\. ((?:.*\n)(?:(?!\d+\. ).*\n)*)", section, re.MULTILINE)}
    tested: dict[int, set[str]] = {}
    for item, quotes in ((t.item, t.quotes) for t in TRAPS.values()):
        tested.setdefault(item, set()).update(quotes)
    for item, quotes in STACKS.values():
        tested.setdefault(item, set()).update(quotes)
    quoted = {n: set(re.findall(r"`([^`]+)`", body)) for n, body in items.items()}
    assert {n: sorted(found - tested.get(n, set())) for n, found in quoted.items() if found - tested.get(n, set())} == {}
    assert set(tested) == set(items)
