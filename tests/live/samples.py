"""The sample stacks as the live tests convert them, each into a namespace of a test's own."""

from __future__ import annotations

from pathlib import Path

import migrate

FOLDER = Path(__file__).resolve().parents[2] / "samples"
CASES = {"slides": None, "ghost-dev": "plan.dev.yaml", "ghost-tst": "plan.tst.yaml", "shop": None}
FORMS = ("plain", "kustomize", "helm")
SECRETS = {"SHOP_DB_PASSWORD": "not-a-secret", "SHOP_ROOT_PASSWORD": "no-secret-either"}


def converted(case: str, namespace: str) -> migrate.Conversion:
    """One of `CASES`."""
    folder, plan = FOLDER / case.split("-")[0], CASES[case]
    return migrate.convert(
        ["docker-compose.yml"], directory=folder, environment=SECRETS, plan=folder / plan if plan else None, namespace=namespace
    )
