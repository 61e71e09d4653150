"""`investigate regenerate`: write the committed notebooks' outputs anew, or compare them."""

from __future__ import annotations

import argparse

from investigate.commands.console import Console
from investigate.report.regenerate import chosen, differences, regenerated, write

DIFFERENT = 1


def run(options: argparse.Namespace, console: Console) -> int:
    """Return 0; with `--check` 1 if a notebook is not what a fresh run writes, and say where."""
    paths = chosen(options.notebooks)
    console.say("running the notebooks on their demo case")
    changed = [one for one in regenerated(paths) if one.differs]
    if not options.check:
        write(changed)
        for one in changed:
            console.out(f"{one.path.name}: written")
        console.say(f"{len(changed)} of {len(paths)} notebooks changed")
        return 0
    for one in changed:
        for place in differences(one):
            console.out(f"{one.path.name}: {place}")
    if changed:
        console.say("investigate: the notebooks are not what a fresh run writes")
        console.say("  if that is what you want: make regenerate")
    return DIFFERENT if changed else 0
