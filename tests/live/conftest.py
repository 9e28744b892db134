"""One control plane for a whole test run, and a namespace for each test.

The process that starts it holds it: with pytest-xdist that is the controller, and its workers are told where it is. `LIVE` says whether
these tests run: `wanted` (skip where the tools are not built), `required` (then fail); `make test-live` and `make test` set it. Without
it they are skipped, in one line. `KUBECONFIG_LIVE` names a cluster of the user's to be tested in instead; nothing can be played there.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migrate import live
from tests.live import machine
from tests.live.cluster import Cluster, Space, lifeline, until
from tests.live.tools import Tools, built, cache

SWITCH, FOREIGN = "LIVE", "KUBECONFIG_LIVE"
RUNNING = pytest.StashKey[machine.Machine]()
NODES = ("n1", "n2", "n3")
_COUNT = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "played: needs kubelets, metrics or a control plane of our own, which no other cluster has")
    if _wanted() and not os.environ.get(FOREIGN):
        kept = [part for part in os.environ.get("NO_PROXY", "").split(",") if part]
        os.environ["NO_PROXY"] = ",".join([*kept, "127.0.0.1", "localhost"])
    if hasattr(config, "workerinput") and _wanted():
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    """A worker in the middle of a test would outlive its killed controller by many seconds, and its programs with it."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def _wanted() -> bool:
    return os.environ.get(SWITCH) in {"wanted", "required"}


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the control plane in the process that all others descend from."""
    config = session.config
    if hasattr(config, "workerinput") or config.option.collectonly or not _wanted() or os.environ.get(FOREIGN):
        return
    tools = built()
    if tools is not None:
        config.stash[RUNNING] = machine.start(tools)
    elif os.environ.get(SWITCH) == "required":
        pytest.exit("the live tests are required and their tools are not built: make live-tools", returncode=1)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the control plane is."""
    running = node.config.stash.get(RUNNING, None)
    node.workerinput["live"] = running.address.text() if running is not None else ""


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop it; also after an interrupt. After a SIGKILL it stops itself."""
    running = config.stash.get(RUNNING, None)
    if running is not None:
        del config.stash[RUNNING]
        running.stop()


def pytest_report_header(config: pytest.Config) -> str:
    return f"live tools: {cache()} ({'built' if built() is not None else 'not built'})"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    running = config.stash.get(RUNNING, None)
    if running is not None:
        used = {name: f"{mib:.0f}" for name, mib in running.memory_mib().items()}
        total = sum(running.memory_mib().values())
        for report in (one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, ())):
            for line in (value for name, value in report.user_properties if name == "compared" and report.when == "call"):
                terminalreporter.write_line(str(line))
        terminalreporter.write_line(f"live control plane: {total:.0f} MiB resident ({', '.join(f'{n} {m}' for n, m in used.items())})")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests first, so that no worker is left alone with one at the end; and of tests that cannot run here one that says so for all."""
    here = Path(__file__).parent
    mine = [item for item in items if item.path.is_relative_to(here)]
    idle = [item for item in mine if built() is None or ("tools" in getattr(item, "fixturenames", ()) and not _wanted())]
    if idle:
        reason = "the live tools are not built: `make live-tools`, with Go" if built() is None else "they run with `make test-live`"
        idle[0].add_marker(pytest.mark.skip(reason=f"{len(idle)} live tests: {reason}"))
        config.hook.pytest_deselected(items=idle[1:])
    running = sorted((item for item in mine if item not in idle), key=lambda item: item.get_closest_marker("slow") is None)
    items[:] = [*(item for item in items if item not in mine), *running, *idle[:1]]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Where the live tests are required, a skip is a failure; but somebody else's cluster cannot play everything."""
    report: Any = yield
    if report.skipped and os.environ.get(SWITCH) == "required" and not os.environ.get(FOREIGN) and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"required, but skipped: {report.longrepr}"
    return report


# ------------------------------------------------------------------ fixtures


@pytest.fixture(scope="session")
def tools() -> Tools:
    """The programs; tests that need them do not come here without."""
    found = built()
    assert found is not None, "the live tools are not built: make live-tools"
    return found


@pytest.fixture(scope="session")
def address(request: pytest.FixtureRequest, tools: Tools) -> machine.Address | None:
    """Where the control plane of this run is; None for somebody else's."""
    if os.environ.get(FOREIGN):
        return None
    running = request.config.stash.get(RUNNING, None)
    if running is not None:
        return running.address
    told = getattr(request.config, "workerinput", {}).get("live", "")
    if not told:
        pytest.fail("no control plane was started: give tests/live as an argument, as `make test-live` does")
    return machine.Address.of(told)


@pytest.fixture(scope="session")
def cluster(address: machine.Address | None, tools: Tools) -> Iterator[Cluster]:
    """The control plane, with three nodes that have plenty."""
    kubeconfig = address.kubeconfig if address is not None else str(Path(os.environ[FOREIGN]).expanduser())
    own = Path(tempfile.mkdtemp(prefix="worker-", dir=address.folder if address is not None else None))
    folder = Path(address.folder) if address is not None else own
    found = Cluster(
        tools=tools, server=live.connect(kubeconfig), kubeconfig=kubeconfig, folder=folder, lifeline=lifeline(), address=address
    )
    found.server.client.rest_client.pool_manager.connection_pool_kw["maxsize"] = 64  # recorders keep many watches open
    if address is not None:
        for name in NODES:
            found.node(name)
    yield found
    shutil.rmtree(own, ignore_errors=True)


@pytest.fixture(autouse=True)
def playable(request: pytest.FixtureRequest) -> None:
    """Leaves out what needs something played where nothing is."""
    if os.environ.get(FOREIGN) and request.node.get_closest_marker("played") is not None:
        pytest.skip("somebody else's cluster: nothing can be played there")


@pytest.fixture
def space(cluster: Cluster) -> Iterator[Space]:
    """A namespace of this test's own."""
    yield from spaces(cluster)


def spaces(cluster: Cluster, name: str | None = None) -> Iterator[Space]:
    """A namespace whose service account is there; nobody waits for its deletion."""
    called = name or f"t{os.getpid()}-{next(_COUNT)}"
    folder = Path(tempfile.mkdtemp(prefix=f"{called}-", dir=cluster.folder))
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": called}}
    answer = cluster.ask("POST", "/api/v1/namespaces", body)
    assert answer.accepted, answer.body
    until(lambda: cluster.ask("GET", f"/api/v1/namespaces/{called}/serviceaccounts/default").accepted, "the service account")
    yield Space(cluster=cluster, name=called, folder=folder)
    cluster.ask("DELETE", f"/api/v1/namespaces/{called}")
    shutil.rmtree(folder, ignore_errors=True)
