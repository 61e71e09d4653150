"""`investigate verify`: recompute every digest in a case's manifest."""

from __future__ import annotations

import argparse

from investigate.case import Case, extra_files, open_case
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
    files = sum(map(len, (*case.files.values(), *case.listings.values())))
    rows = sum(case.rows.values())
    console.out(f"{options.case}: {files} files with {rows:,} rows are what the manifest says")
    if case.lake:
        _say_what_is_in_place(case, options, console)
    return 0


def _say_what_is_in_place(case: Case, options: argparse.Namespace, console: Console) -> None:
    """Say what is proved of the tables that the case points at; with --in-place, read them."""
    # Imported when it is needed: an engine takes half a second to start.
    from investigate.engine import open_engine
    from investigate.lake.verification import changes, pinned

    for told in pinned(case):
        console.out(told)
    if not options.in_place:
        console.say("nothing in place was read; investigate verify CASE --in-place reads it all")
        return
    found = list(changes(case, open_engine()))
    if found:
        raise CaseDamagedError(
            "what the case points at is not what it was: " + "; ".join(found),
            hint="the checks tell of what is there now; a copy (capture without --in-place) stays",
        )
    console.out("all that is in place was read, and is what it was when the case was captured")
