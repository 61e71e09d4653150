"""Where and with what a benchmark ran."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

_MEMORY = Path("/proc/meminfo")
_PROCESSOR = Path("/proc/cpuinfo")
_GIB = 1024 * 1024  # in the kilobytes of /proc/meminfo


def described(packages: Sequence[str]) -> str:
    """Return in one line the machine, the versions of Python and of these packages."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [f"{cores} cores{_named(_PROCESSOR, 'model name', ' ({})')}", _memory()]
    parts.append(f"{platform.system()} {platform.machine()}")
    parts.append(f"Python {platform.python_version()}, {versions}")
    return "; ".join(part for part in parts if part)


def _memory() -> str:
    kilobytes = _named(_MEMORY, "MemTotal", "{}").removesuffix(" kB")
    return f"{int(kilobytes) / _GIB:.0f} GiB of memory" if kilobytes else ""


def _named(file: Path, name: str, shown: str) -> str:
    if not file.is_file():
        return ""
    for line in file.read_text(encoding="utf-8").splitlines():
        found, _, value = line.partition(":")
        if found.strip() == name:
            return shown.format(value.strip())
    return ""
