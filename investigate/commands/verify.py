"""`investigate verify`: recompute every digest in a case's manifest."""

from __future__ import annotations

import argparse

from investigate.case import extra_files, open_case
from investigate.commands.console import Console
from investigate.errors import CaseDamagedError


def run(options: argparse.Namespace, console: Console) -> int:
    """Say that the case is what its manifest says, no less (`open_case` raises) and no more."""
    case = open_case(options.case)
    extra = extra_files(case)
    if extra:
        raise CaseDamagedError(
            f"the case {options.case} holds files that its manifest does not know: "
            + ", ".join(extra),
            hint="nothing reads them; find out who put them there, and move them away",
        )
    files = sum(len(case.files[table]) for table in case.tables)
    rows = sum(case.rows[table] for table in case.tables)
    console.out(f"{options.case}: {files} files with {rows:,} rows are what the manifest says")
    return 0
