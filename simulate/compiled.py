"""Where compiled code is kept between processes: a folder of the user's, one for each version of the file that is compiled.

numba trusts what it finds as long as the time of the file fits; what another version of this program left there would not be understood.
`NUMBA_CACHE_DIR` in the environment wins. Without a folder that can be written, code is compiled anew in every process.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numba

_GIVEN = bool(getattr(numba.config, "CACHE_DIR", ""))


def kept_beside(file: str) -> bool:
    """Keep what is compiled from now on in the folder of this version of `file`; whether there is such a folder."""
    config: Any = numba.config
    if _GIVEN:
        return True
    try:
        folder = Path.home() / ".cache" / "compose-cutover" / f"{Path(file).stem}-{zlib.crc32(Path(file).read_bytes()):08x}"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return False
    config.CACHE_DIR = str(folder)
    return True
