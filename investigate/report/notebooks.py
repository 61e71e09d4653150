"""The notebooks: those of the walk, of the chapters, and the one that follows an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from investigate.errors import UsageError
from investigate.model import Step

OVERVIEW, TRACE = "00_overview", "10_trace"
# These begin first, so that none runs alone at the end while other cores have nothing to do.
_LONGEST = (TRACE, "07_retries", "02_events_table", "06_aggregates")
NOTEBOOKS: Mapping[str, Step | None] = {
    OVERVIEW: None,
    "01_raw_data": Step.RAW,
    "02_events_table": Step.EVENTS,
    "03_dry_run_replay": Step.REPLAY,
    "04_sqs": Step.SQS,
    "05_processor": Step.PROCESSOR,
    "06_aggregates": Step.AGGREGATES,
    "07_retries": Step.RETRIES,
    "08_dead_letters": Step.DEAD_LETTERS,
    "09_configuration": Step.CONFIGURATION,
    TRACE: None,
}


def default_folder() -> Path:
    """Return the folder beside the package, where a checkout has its notebooks."""
    return Path(__file__).resolve().parent.parent.parent / "notebooks"


def sources(folder: Path) -> list[Path]:
    """Return the notebooks in the order of the walk; raise `UsageError` naming what is missing."""
    paths = [folder / f"{name}.ipynb" for name in NOTEBOOKS]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise UsageError(
            f"{folder} lacks {', '.join(missing)}",
            hint="run from a checkout installed with: pip install --editable .",
        )
    return paths


def longest_first(sources: Sequence[Path]) -> list[Path]:
    """Return notebooks in the order in which to begin them."""
    place = {name: position for position, name in enumerate(_LONGEST)}
    return sorted(sources, key=lambda source: place.get(source.stem, len(place)))


def page_of(step: str) -> str | None:
    """Return the file name of a step's page; None for a chapter without a notebook."""
    names = [name for name, own in NOTEBOOKS.items() if own and own.value == step]
    return f"{names[0]}.html" if names else None
