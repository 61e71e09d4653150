"""The parameters of the notebooks: one schema for their cells, the command line and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path

from investigate.errors import CaseError, UsageError
from investigate.model import Window, isoformat, parse_time

DEFAULT_CASE = "../data/cases/everything"  # as seen from the notebooks' folder
CHECKOUT = Path(__file__).resolve().parent.parent
NOTEBOOKS, DEMO_CASES = CHECKOUT / "notebooks", CHECKOUT / "data" / "cases"
LONGEST = 4096  # no path, time or entity id of this pipeline comes near it


@dataclass(frozen=True, slots=True)
class Parameters:
    """What is asked of a case. All are texts; an empty one leaves the question as wide as the case.

    The default and the comment of each stand word for word in the notebooks' first cell.
    """

    case: str = field(
        default=DEFAULT_CASE, metadata={"help": "the folder of the captured incident"}
    )
    start: str = field(
        default="",
        metadata={"help": 'first event time to look at, as "2026-03-10T00:00:00Z"; empty: all'},
    )
    end: str = field(
        default="", metadata={"help": "first event time not to look at any more; empty: all"}
    )
    entity: str = field(default="", metadata={"help": "one entity to look at; empty: all"})
    findings: str = field(
        default="",
        metadata={"help": "a findings.json of this case and question; empty: run the checks here"},
    )
    event: str = field(
        default="",
        metadata={
            "help": "the event to follow, or how its id begins; empty: the one that needs it most",
            "only": "10_trace",
        },
    )

    def __post_init__(self) -> None:
        for known in fields(self):
            _refuse_unusable(known.name, getattr(self, known.name))
        if not self.case:
            raise UsageError("case is empty", hint=f'name a folder: case = "{DEFAULT_CASE}"')

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Parameters:
        """Return these parameters; raise `UsageError` for a name or a type that is wrong."""
        for name in values:
            if name not in cls.names():
                raise UsageError.unknown("parameter", name, cls.names())
        return cls(**values)  # type: ignore[arg-type]  # each is checked on construction

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of all parameters, in the order of the notebooks' first cell."""
        return tuple(known.name for known in fields(cls))

    def window(self, captured: Window) -> Window:
        """Return the window asked about; raise `UsageError` if the case cannot answer for it all.

        Outside the captured window there is no evidence, and no evidence would look like no fault.
        """
        start = parse_time(self.start, "start") if self.start else captured.start
        end = parse_time(self.end, "end") if self.end else captured.end
        if not self.end and start >= captured.end:
            raise _outside("start", start, "after", captured)
        if not self.start and end <= captured.start:
            raise _outside("end", end, "before", captured)
        asked = Window(start, end)
        if asked.start < captured.start or asked.end > captured.end:
            raise UsageError(
                f"the window {_shown(asked)} reaches beyond what was captured: {_shown(captured)}",
                hint="ask within the captured window, or capture the case again with a wider one",
            )
        return asked


def case_folder(case: str) -> Path:
    """Return the folder a notebook means by `case`, wherever the notebook is started.

    A relative one is looked for from the working directory, then from the notebooks' folder and
    the checkout; a name alone may be that of a demo case. Raises `CaseError` with the cases there.
    """
    asked = Path(case)
    places = [Path(), NOTEBOOKS, CHECKOUT]
    if len(asked.parts) == 1 and case not in (".", ".."):
        places.append(DEMO_CASES)
    for place in places:
        if (place / asked).exists():
            return place / asked
    tried = dict.fromkeys((place / asked).resolve().parent for place in places)
    found = [f"in {folder}: {names}" for folder in tried if (names := _cases_in(folder))]
    raise CaseError(
        f"there is no case {case} (cases {'; '.join(found)})" if found
        else f"there is no case {case}, nor any other where it was looked for",
        hint="case is the folder that holds case.json, or the name of a demo case",
    )  # fmt: skip


def is_case(text: str) -> bool:
    """Return whether a text names a case, as `case_folder` looks for it."""
    try:
        return (case_folder(text) / "case.json").is_file()
    except CaseError:
        return False


def _cases_in(folder: Path) -> str:
    """Return the names of the cases in a folder, as a list in words."""
    return ", ".join(sorted(path.parent.name for path in folder.glob("*/case.json")))


def _refuse_unusable(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise UsageError(
            f"{name} must be a text, not {value!r}",
            hint=f'write {name} = "{value}" (with papermill: -r {name} {value})',
        )
    if len(value) > LONGEST:
        raise UsageError(f"{name} has {len(value):,} characters; at most {LONGEST:,} make sense")
    if "\0" in value:
        raise UsageError(f"{name} holds a NUL character", hint="type it again, without the NUL")


def _outside(name: str, moment: datetime, where: str, captured: Window) -> UsageError:
    return UsageError(
        f"{name} {isoformat(moment)} lies {where} what was captured: {_shown(captured)}",
        hint="ask within the captured window, or capture the case again with a wider one",
    )


def _shown(window: Window) -> str:
    return f"{isoformat(window.start)} to {isoformat(window.end)}"
