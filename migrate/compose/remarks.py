"""What Docker accepts and a migrating user must know (compose-semantics.md section 7): warnings beyond `docker compose config`."""

from __future__ import annotations

from .draft import Draft
from .faults import Log


def remarked(draft: Draft, log: Log) -> None:
    """Tell every remark on the draft."""
