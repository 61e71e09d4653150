"""How much memory engines may take, as people write it, and how several of them share it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from investigate.errors import UsageError

MEMORY, SPILL = "INVESTIGATE_MEMORY", "INVESTIGATE_SPILL"  # what notebooks are given them by

_SIZE = re.compile(r"(?P<amount>[0-9]{1,9}(\.[0-9]{1,3})?) ?(?P<unit>%|[MGT]i?B)", re.IGNORECASE)
_BYTES = {
    "MB": 10**6, "GB": 10**9, "TB": 10**12, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
_LEAST = 100 * 10**6  # bytes; with 20 MB the checks of a small case fail for lack of memory


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """What one engine may take: so many bytes, or such a share of the machine's memory.

    The share is of what the process may have at all: a container's limit counts as the machine.
    """

    amount: float  # bytes, or per cent
    is_share: bool = False

    @classmethod
    def parse(cls, text: str, name: str = "--memory") -> MemoryLimit:
        """Return a size as people write it: 2GB, 800MB, 1.5 GiB or 50%; raise `UsageError`."""
        found = _SIZE.fullmatch(text.strip())
        if not found:
            raise UsageError(
                f"{name} {text!r} is no size of memory",
                hint="write a number and its unit, as 2GB, 800MB, 1.5GiB or 50%",
            )
        amount, unit = float(found["amount"]), found["unit"].upper()
        if unit == "%":
            return cls._share(amount, text, name)
        size = amount * _BYTES[unit]
        if size < _LEAST:
            raise UsageError(
                f"{name} {text} is too little to work with",
                hint=f"give {_LEAST // 10**6}MB or more; what does not fit is put on the disk",
            )
        return cls(size)

    @classmethod
    def _share(cls, amount: float, text: str, name: str) -> MemoryLimit:
        if not 1 <= amount <= 100:
            raise UsageError(
                f"{name} {text} is no share of this machine", hint="give 1% to 100%, or a size"
            )
        return cls(amount, is_share=True)

    def part(self, share: float) -> MemoryLimit:
        """Return a part of it."""
        return MemoryLimit(self.amount * share, self.is_share)

    def shared_by(self, engines: int) -> MemoryLimit:
        """Return what each of several engines may take, so that all together take no more; raise
        `UsageError` if that is too little to work with."""
        if not self.is_share and self.amount < _LEAST * engines:
            least = f"{_LEAST * engines // 10**6}MB"
            raise UsageError(
                f"--memory {self.amount / 10**6:.0f}MB is too little for the {engines} processes "
                "of a report",
                hint=f"give {least} or more; what does not fit is put on the disk",
            )
        return self.part(1 / engines)

    def __str__(self) -> str:
        return f"{self.amount:.3f}%" if self.is_share else f"{self.amount / 10**6:.3f}MB"


# The rest is for what stands beside the engine: Python, a browser, the system's cache of files.
DEFAULT_LIMIT = MemoryLimit(60, is_share=True)


@dataclass(frozen=True, slots=True)
class EngineMemory:
    """The memory an engine may take, and the folder for what is more (None: that for temporary
    files); several engines at the same time have one each."""

    limit: MemoryLimit = DEFAULT_LIMIT
    spill: Path | None = None

    @classmethod
    def asked(
        cls,
        memory: MemoryLimit | None = None,
        spill: Path | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> EngineMemory:
        """Return what somebody asks for, or else the environment variables
        INVESTIGATE_MEMORY and INVESTIGATE_SPILL; raise `UsageError` if these hold nonsense."""
        size, place = environment.get(MEMORY, ""), environment.get(SPILL, "")
        if memory is None and size:
            memory = MemoryLimit.parse(size, MEMORY)
        if spill is None and place:
            spill = spill_folder(place, SPILL)
        return cls(memory or DEFAULT_LIMIT, spill)

    def environment(self) -> dict[str, str]:
        """Return the environment variables that give the same to the engines of a process."""
        place = {SPILL: str(self.spill)} if self.spill else {}
        return {MEMORY: str(self.limit), **place}


DEFAULT_ENGINE_MEMORY = EngineMemory()  # where nobody says more


def spill_folder(text: str, name: str = "--spill") -> Path:
    """Return a folder for what does not fit into memory; raise `UsageError` if it is none."""
    folder = Path(text)
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise UsageError(f"{name} {text} {what}", hint=f"make it first: mkdir -p {text}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"{name} {text} cannot be written to", hint="name a folder of your own, on a fast disk"
        )
    return folder.resolve()
