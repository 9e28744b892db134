"""`simulate capture`: what runs in a cluster becomes input of a simulation."""

from __future__ import annotations

from pathlib import Path

import simulate
from simulate import live, scenario
from tests.live.cluster import Space
from tests.live.test_seed_rows import my_app


def test_what_runs_is_simulated(space: Space, tmp_path: Path) -> None:
    space.apply(my_app(1))
    assert space.kubectl("rollout", "status", "deployment/my-app", "--timeout=60s").code == 0
    found = live.capture(live.Server(space.cluster.kubeconfig), space.name)
    for name, text in live.texts(found, space.name).items():
        (tmp_path / name).write_text(text)
    assert [one["kind"] for one in found.manifests] == ["Deployment"], "what the Deployment makes is left out"
    assert sum(pool.count for pool in scenario.read(tmp_path / "scenario.yaml").pools or ()) >= 3
    said = {"version": 1, "horizon": "1m", "nodes": found.nodes, "services": {"my-app": {"cpu": "5ms"}}}
    result = simulate.run([tmp_path / "manifests.yaml"], said)
    assert [(one.workload, one.replicas, one.available) for one in result.trace.statuses][-1] == ("my-app", 3, 3)
