"""Asks pip-audit whether a locked package is known to be vulnerable: `make audit`.

pip-audit ends with 0 although a package could not be looked up: it only leaves it out. Here what
could not be told is no pass. Exit codes: 0 every package was looked up and none is known to be
vulnerable; 1 one is; 3 none is among those that were looked up, but not all could be.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

CLEAN, VULNERABLE, UNKNOWN = 0, 1, 3
NOTHING = (
    "audit: nothing is known\n"
    "  try it where the package index of Python can be reached, not only a mirror of its files"
)
AUDIT = [
    "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off",
    "--format", "json", "--timeout", "30",
]  # fmt: skip


def main(locks: Sequence[str]) -> int:
    """Print what is known of the packages of these locks, and return the exit code."""
    # One at a time: pip-audit takes two versions of a package in two of them for an error.
    code, said = verdict({lock: _asked(lock) for lock in locks})
    print(said)
    return code


def _asked(lock: str) -> tuple[str, str]:
    done = subprocess.run(  # noqa: S603 - our own arguments and a lock of this repository
        [sys.executable, *AUDIT, "--requirement", lock], capture_output=True, text=True, check=False
    )
    return done.stdout, done.stderr


def verdict(printed: Mapping[str, tuple[str, str]]) -> tuple[int, str]:
    """Return the exit code and the message for what pip-audit printed of each lock, and its
    errors."""
    lines: list[str] = []
    packages: list[dict[str, Any]] = []
    for lock, (output, errors) in printed.items():
        try:
            packages += json.loads(output)["dependencies"]
        except (ValueError, KeyError, TypeError):
            lines.append(_untold(lock, errors))
    untold = len(lines)
    bad = [package for package in packages if package.get("vulns")]
    skipped = [package for package in packages if "skip_reason" in package]
    lines += dict.fromkeys(_bad(package) for package in bad)
    lines += dict.fromkeys(
        f"not told  {package['name']}: {package['skip_reason']}" for package in skipped
    )
    looked_up = len(packages) - len(skipped)
    lines.append(
        f"audit: {looked_up} of {len(packages)} pins were looked up, "
        f"{len(bad)} of them known to be vulnerable"
    )
    if not looked_up:
        lines.append(NOTHING)
    if bad:
        return VULNERABLE, "\n".join(lines)
    return (UNKNOWN if skipped or untold or not packages else CLEAN), "\n".join(lines)


def _bad(package: dict[str, Any]) -> str:
    known = "; ".join(
        f"{one['id']}, repaired in {', '.join(one['fix_versions']) or 'no version yet'}"
        for one in package["vulns"]
    )
    return f"VULNERABLE  {package['name']} {package['version']}: {known}"


def _untold(lock: str, errors: str) -> str:
    last = [line for line in errors.strip().splitlines() if line.strip()][-1:]
    because = f" ({last[0].strip()})" if last else ""
    return f"not told  {lock}: pip-audit gave no answer{because}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
