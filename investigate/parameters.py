"""The parameters of the notebooks: one schema for their cells, the command line and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path

from investigate.errors import CaseError, UsageError
from investigate.invisible_characters import is_invisible
from investigate.model import Window, isoformat, parse_time
from investigate.secret_texts import secret_in

DEFAULT_CASE = "../data/cases/everything"  # as seen from the notebooks' folder
CHECKOUT = Path(__file__).resolve().parent.parent
NOTEBOOKS, DEMO_CASES = CHECKOUT / "notebooks", CHECKOUT / "data" / "cases"
IN_A_BUCKET = "s3://"  # so begins the address of a case that is not on this machine
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
            refuse_unusable(known.name, getattr(self, known.name))
        _refuse_no_folder(self.case)
        _refuse_no_window(self.start, self.end)

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


def case_folder(case: str) -> Path | str:
    """Return the folder a notebook means by `case`, wherever the notebook is started; of a case in
    a bucket, which has none here, its address as it is.

    A relative one is looked for from the working directory, then from the notebooks' folder and
    the checkout; a name alone may be that of a demo case. Raises `CaseError` with the cases there.
    """
    if case.startswith(IN_A_BUCKET):
        return case
    asked = Path(case)
    places = [Path(), NOTEBOOKS, CHECKOUT]
    if len(asked.parts) == 1 and case not in (".", ".."):
        places.append(DEMO_CASES)
    for place in places:
        if _is_there(place / asked):
            return place / asked
    tried = dict.fromkeys((place / asked).resolve().parent for place in places)
    found = [f"in {folder}: {names}" for folder in tried if (names := _cases_in(folder))]
    raise CaseError(
        f"there is no case {case} (cases {'; '.join(found)})" if found
        else f"there is no case {case}, nor any other where it was looked for",
        hint="case is the folder that holds case.json, or the name of a demo case",
    )  # fmt: skip


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise CaseError(
            f"the case {path} cannot be looked for: {error.strerror}",
            hint="case is the folder that holds case.json, or the name of a demo case",
        ) from error


def is_case(text: str) -> bool:
    """Return whether a text names a case, as `case_folder` looks for it, or is the address of one
    in a bucket."""
    if text.startswith(IN_A_BUCKET):
        return True
    try:
        return (Path(case_folder(text)) / "case.json").is_file()
    except (CaseError, OSError):
        return False


def _cases_in(folder: Path) -> str:
    """Return the names of the cases in a folder, as a list in words."""
    return ", ".join(sorted(path.parent.name for path in folder.glob("*/case.json")))


def refuse_unusable(name: str, value: object) -> None:
    """Raise `UsageError` for a value that no parameter can have: no text, a secret, too long, or
    with characters that cannot be written."""
    if not isinstance(value, str):
        raise UsageError(
            f"{name} must be a text, not {type(value).__name__}",  # it may hold a secret
            hint=f'write {name} = "…" with the quotes; with papermill use -r {name} …, because '
            "-p and -y make numbers of texts like 00123",
        )
    if secret := secret_in(value):
        # The value is not repeated: this message may be logged.
        raise UsageError(
            f"{name} holds what looks like {secret}",
            hint="reports and logs show what was asked; AWS credentials go into a profile or role",
        )
    if len(value) > LONGEST:
        raise UsageError(f"{name} has {len(value):,} characters; at most {LONGEST:,} make sense")
    if unseen := next((one for one in value if one in "\t\n" or is_invisible(one)), ""):
        raise UsageError(
            f"{name} holds the character U+{ord(unseen):04X}, which cannot be seen",
            hint=f"it may have come with a copy; type {name} again, without it",
        )


def _refuse_no_folder(case: str) -> None:
    """Raise `UsageError` for a case that is plainly no folder of this machine."""
    if not case.strip():
        raise UsageError("case is empty", hint=f'name a folder: case = "{DEFAULT_CASE}"')
    if "://" in case and not case.startswith(IN_A_BUCKET):
        raise UsageError(
            f"case is a URL: {case}",
            hint="copy the case to this machine and name its folder, or to s3://BUCKET/FOLDER",
        )
    if case.startswith("~"):
        raise UsageError(
            f"case begins with ~, which only a shell replaces: {case}",
            hint="write the whole path of the folder",
        )


def _refuse_no_window(start: str, end: str) -> None:
    """Raise `UsageError` for what is no time, or no window, of whatever case."""
    first = parse_time(start, "start") if start else None
    last = parse_time(end, "end") if end else None
    if first and last:
        Window(first, last)


def _outside(name: str, moment: datetime, where: str, captured: Window) -> UsageError:
    return UsageError(
        f"{name} {isoformat(moment)} lies {where} what was captured: {_shown(captured)}",
        hint="ask within the captured window, or capture the case again with a wider one",
    )


def _shown(window: Window) -> str:
    return f"{isoformat(window.start)} to {isoformat(window.end)}"
