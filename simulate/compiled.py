"""Where compiled code is kept between processes: a folder of the user's, one for each version of the files that are compiled.

numba trusts what it finds as long as the time of the file fits; what another version of this program left there would not be understood.
`NUMBA_CACHE_DIR` in the environment wins. Without a folder that can be written, code is compiled anew in every process.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any


def folder_of(*files: str) -> Path:
    """The folder of this version of `files`, named after the first; it need not exist."""
    version = zlib.crc32(b"".join(Path(file).read_bytes() for file in files))
    return Path.home() / ".cache" / "compose-cutover" / f"{Path(files[0]).stem}-{version:08x}"


def is_kept(function: str, *files: str) -> bool:
    """Whether some machine code of `function` of `files[0]` was kept by an earlier process. Loads nothing."""
    try:
        return any(folder_of(*files).glob(f"**/*{function}*.nbi"))
    except (OSError, RuntimeError):
        return False


def kept_beside(*files: str) -> bool:
    """Keep what is compiled from now on in the folder of this version of `files`; whether there is such a folder.

    To be called before each function that is compiled, if those of several files are: numba knows one folder at a time.
    """
    import numba

    config: Any = numba.config
    if config.CACHE_DIR and config.CACHE_DIR not in _CHOSEN:
        return True
    try:
        folder = folder_of(*files)
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return False
    config.CACHE_DIR = str(folder)
    _CHOSEN.add(config.CACHE_DIR)
    return True


_CHOSEN: set[str] = set()
"""Folders that this program chose: any other was given by the environment."""
