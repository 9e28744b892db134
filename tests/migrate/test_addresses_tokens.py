"""Token-exact search and the lexical traps of the specification (static-addresses.md 2.4)."""

from __future__ import annotations

import pytest

from migrate.stack.tokens import addresses, comments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("172.16.239.101", [("172.16.239.101", "address")]),
        ("172.16.239.10${NODE_ID}", [("172.16.239.10", "prefix")]),
        ("PREFIX=172.22.1.$X", [("172.22.1.", "prefix")]),
        (r"sed 's/x/\1@172.16.239.1\3/'", [("172.16.239.1", "prefix")]),
        ("1.239.16.172.in-addr.arpa", []),
        ("as150-router-10.150.0.254", []),
        ("v1.2.3.4", []),
        ("lib-1.2.3.4.so", []),
        ("nmap 192.168.0.1-255", [("192.168.0.1", "range")]),
        ("172.99.3.100 - 172.99.3.200", [("172.99.3.100", "range"), ("172.99.3.200", "address")]),
        ("172.20.128.4/24 dev eth0", [("172.20.128.4", "network")]),
        ("172.20.128.4/32", [("172.20.128.4", "address")]),
        ("10.0.0.0 netmask 255.255.0.0", [("10.0.0.0", "network"), ("255.255.0.0", "address")]),
        ("172.20.0.2#5054;1.1.1.1", [("172.20.0.2", "address"), ("1.1.1.1", "address")]),
        ("172.38.0.14!172.38.0.14", [("172.38.0.14", "address"), ("172.38.0.14", "address")]),
        ("conf:phpfpm:tcp:172.16.238.10:9000", [("172.16.238.10", "address")]),
        ("8081 172.28.0.100 tcp", [("172.28.0.100", "address")]),
        ('{\\"host\\":\\"10.0.0.5\\"}', [("10.0.0.5", "address")]),
        ("192.168.xxx.yyy 256.1.1.1 1.2.3", []),
        ("10.5.0.1 10.5.0.10", [("10.5.0.1", "address"), ("10.5.0.10", "address")]),
        ("http://10.0.0.1/24", [("10.0.0.1", "address")]),
        ("[fd00::5]:80 fd00::5%eth0 02:42:ac:11:65:43 a::b::c 12:30:00", [("[fd00::5]", "address"), ("fd00::5", "address")]),
        ("fd00:1::/64", [("fd00:1::", "network")]),
    ],
)
def test_tokens(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(t.text, t.kind) for t in addresses(text)] == expected


@pytest.mark.parametrize(
    ("text", "port"),
    [("10.0.0.5:80/x", 80), ("10.0.0.5#5054", 5054), ("10.0.0.5@853", 853), ("https://10.0.0.5/", 443), ("10.0.0.5 80", None)],
)
def test_the_port_beside_an_address(text: str, port: int | None) -> None:
    assert addresses(text)[0].port == port


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("# 10.0.0.1\n10.0.0.2", "10.0.0.2"),
        ("a 10.0.0.2 # 10.0.0.1", "10.0.0.2"),
        ("/* 10.0.0.1\n10.0.0.1 */ 10.0.0.2", "10.0.0.2"),
        ("<!-- 10.0.0.1 -->10.0.0.2", "10.0.0.2"),
        ("; 10.0.0.1\n-- 10.0.0.1\ndnl 10.0.0.1\n  // 10.0.0.1\n10.0.0.2", "10.0.0.2"),
        ("//10.0.0.2/share", "10.0.0.2"),
        ("PIHOLE=10.0.0.2#53", "10.0.0.2"),
    ],
)
def test_comments_are_no_text(text: str, visible: str) -> None:
    hidden = comments(text)
    seen = [t.text for t in addresses(text) if not any(a <= t.start < b for a, b in hidden)]
    assert seen == [visible]
