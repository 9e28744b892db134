"""Which cluster address an old one becomes (conversion.md 2.6, pin rule): steps, band, order, reserved, IPv6."""

from __future__ import annotations

import pytest

from migrate.plan.pins import Wanted, assign, band, read_range


def pins(within: str, *old: str, reserved: tuple[str, ...] = (), own: tuple[str, ...] = ()) -> list[tuple[str, int] | None]:
    """(address, step) of each old address, one Service each, all on one network; None: no address left."""
    wanted = [Wanted(who=f"s{i}", network=0, address=a) for i, a in enumerate(old)]
    found = assign(wanted, read_range(within, own), reserved)
    versions = [6 if ":" in a else 4 for a in old]
    got = [found.pins.get((f"s{i}", v)) for i, v in enumerate(versions)]
    return [(p.address, p.step) if p is not None else None for p in got]


@pytest.mark.parametrize(
    ("within", "old", "expected"),
    [
        ("172.20.0.0/16", ["172.20.0.77"], [("172.20.0.77", 1)]),
        ("10.96.0.0/12", ["172.20.0.2"], [("10.96.0.2", 2)]),
        ("10.96.0.0/12", ["172.20.0.2", "172.20.1.2", "172.20.2.2"], [("10.96.0.2", 2), ("10.96.0.102", 3), ("10.96.0.202", 3)]),
        (
            "10.96.0.0/12",
            ["172.20.0.2", "172.20.1.2", "172.20.2.2", "172.20.3.2"],
            [("10.96.0.2", 2), ("10.96.0.102", 3), ("10.96.0.202", 3), ("10.96.0.3", 4)],
        ),
        ("10.96.0.0/12", ["172.20.0.10"], [("10.96.0.110", 3)]),  # base+10 is the usual address of the cluster's DNS
        ("10.96.0.0/12", ["172.20.0.1"], [("10.96.0.101", 3)]),  # base+1 is the Service kubernetes
        ("10.96.0.0/12", ["172.20.0.0"], [("10.96.0.100", 3)]),
        ("10.96.0.0/28", ["172.20.0.200"], [("10.96.0.2", 4)]),  # no octet above 14 fits: the lowest free of the band
        ("10.96.0.0/28", ["172.20.0.15"], [("10.96.0.2", 4)]),  # the last address is taken
        ("10.96.0.0/12", ["172.20.0.255", "172.20.1.255"], [("10.96.0.255", 2), ("10.96.0.2", 4)]),
        ("fd00:96::/108", ["fd01::5:53"], [("fd00:96::53", 2)]),
        ("fd00:96::/108", ["fd01::a"], [("fd00:96::6e", 3)]),  # base+10 again: 100 more is 110
        ("10.96.0.0/12,fd00:96::/108", ["172.20.0.9", "fd01::9"], [("10.96.0.9", 2), ("fd00:96::9", 2)]),
    ],
)
def test_steps(within: str, old: list[str], expected: list[tuple[str, int]]) -> None:
    assert pins(within, *old) == expected


def test_beyond_the_band_from_the_top() -> None:
    """A /26 has a band of 16; .2 to .16 without .10 are taken first, then .62 downwards."""
    found = [p[0].rpartition(".")[2] for p in pins("10.96.0.0/26", *[f"10.{i}.0.0" for i in range(20)]) if p is not None]
    assert found[:14] == [str(n) for n in (*range(2, 10), *range(11, 17))]
    assert found[14:] == ["62", "61", "60", "59", "58", "57"]


def test_a_full_range_leaves_the_rest_without() -> None:
    found = pins("10.96.0.0/28", *[f"10.{i}.0.0" for i in range(14)])
    assert [p is None for p in found] == [False] * 12 + [True] * 2


def test_the_order_is_network_then_number_whatever_the_order_given() -> None:
    given_as = [("late", 1, "10.1.0.5"), ("b", 0, "10.0.1.5"), ("a", 0, "10.0.0.5")]
    wanted = [Wanted(who=who, network=network, address=address) for who, network, address in given_as]
    expected = {"a": "10.96.0.5", "b": "10.96.0.105", "late": "10.96.0.205"}
    for given in (wanted, wanted[::-1]):
        assert {who: p.address for (who, _), p in assign(given, read_range("10.96.0.0/16")).pins.items()} == expected


def test_two_networks_make_one_pin_from_the_first() -> None:
    wanted = [Wanted(who="db", network=1, address="10.1.0.7"), Wanted(who="db", network=0, address="10.0.0.9")]
    assert {k: p.address for k, p in assign(wanted, read_range("10.96.0.0/16")).pins.items()} == {("db", 4): "10.96.0.9"}


def test_reserved_addresses_and_ranges_stay_free() -> None:
    assert pins("10.96.0.0/16", "1.1.1.5", "1.1.2.20", reserved=("10.96.0.5", "10.96.0.16/28")) == [("10.96.0.105", 3), ("10.96.0.120", 3)]


def test_own_subnets_keep_the_very_address() -> None:
    assert pins("10.96.0.0/16", "172.20.0.77", "172.21.0.77", own=("172.20.0.0/24",)) == [("172.20.0.77", 1), ("10.96.0.77", 2)]


@pytest.mark.parametrize(("network", "last"), [("10.96.0.0/12", 256), ("10.96.0.0/20", 256), ("10.96.0.0/22", 64), ("10.96.0.0/24", 16)])
def test_the_band_is_that_of_the_api_server(network: str, last: int) -> None:
    assert band(read_range(network).families[4]) == last


def test_out_of_the_band_is_marked() -> None:
    pin = assign([Wanted(who="a", network=0, address="10.0.0.200")], read_range("10.96.0.0/24")).pins["a", 4]
    assert (pin.address, pin.step, pin.same, pin.in_band) == ("10.96.0.200", 2, True, False)


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("10.96.0.0/31", "too small"),
        ("10.96.0.0/32", "too small"),
        ("me", "no range"),
        ("10.96.0.0/12,10.97.0.0/16", "two ranges"),
        ("", "no range"),
    ],
)
def test_a_range_that_cannot_be_meant_is_refused_with_a_sentence(said: str, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        read_range(said)


def test_a_token_without_a_value_gets_the_lowest_free() -> None:
    assert pins("10.96.0.0/16", "${DNS_IP}", "172.20.0.2") == [("10.96.0.3", 4), ("10.96.0.2", 2)]
