"""What one load may make beyond what is written, so that a small input cannot become a large project.

Aliases, ranges of ports, `extends`, `include`, env files and variables all repeat what stands once. Each asks here before it makes
anything; who is refused tells a fault at its own place and goes on without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REPEATED_VALUES: Final = 300_000
"""Values that may be made by repetition; a single service with all ports takes 262,140 of them."""

VALUES_OF_A_PORT: Final = 4

SUBSTITUTED_CHARACTERS: Final = 16_000_000
"""Characters by which variables may lengthen the texts of a project together."""

LONGEST_TEXT: Final = 1_000_000
"""Characters that one text may have after its variables are replaced, if it is longer than it was written."""

COMPARISONS: Final = 1_000_000
"""Steps of the search for near names ("did you mean"); a comparison letter by letter counts as COMPARISON of them."""

COMPARISON: Final = 30


@dataclass(slots=True, kw_only=True)
class Allowance:
    """What is left of the bounds; machinery of one load.

    >>> allowance = Allowance(values=10)
    >>> allowance.takes_values(8), allowance.takes_values(8), allowance.takes_values(2)
    (True, False, True)
    """

    values: int = REPEATED_VALUES
    characters: int = SUBSTITUTED_CHARACTERS
    comparisons: int = COMPARISONS

    def takes_values(self, count: int) -> bool:
        """Whether so many values may be made; they are then spent."""
        if count > self.values:
            return False
        self.values -= count
        return True

    def takes_comparison(self) -> bool:
        """Whether one more name or address may be compared; it is then spent."""
        self.comparisons -= COMPARISON
        return self.comparisons >= 0

    def takes_characters(self, count: int) -> bool:
        """Whether texts may grow by so many characters; they are then spent."""
        if count > self.characters:
            return False
        self.characters -= count
        return True
