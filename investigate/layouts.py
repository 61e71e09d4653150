"""Layouts of keys: what a text such as "ENTITY#{entity_id}" says of the keys made by it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from string import Formatter
from typing import NamedTuple

_WORD = re.compile("[A-Za-z]")
_DAY = r"\d{4}-\d{2}-\d{2}"
# Dates and hours hold no slash.
_OF_RAW_KEYS = tuple((name, "[^/]*") for name in ("event_date", "ingest_date", "hour"))


class RawKey(NamedTuple):
    """The parts of a raw object's key, all as text; None of what the layout does not have."""

    source: str | None
    event_type: str | None
    event_date: str
    ingest_date: str | None
    hour: str | None
    event_id: str


class Piece(NamedTuple):
    """A text of a layout, and the name that follows it; None behind the last text."""

    text: str
    name: str | None


@cache
def pieces_of(layout: str) -> tuple[Piece, ...]:
    """Return the parts of a layout, one after the other, the last one without a name; raise
    `ValueError` for a name given twice, and for what is no layout."""
    found: list[Piece] = []
    text = ""
    for between, name, form, conversion in Formatter().parse(layout):
        text += between  # a doubled brace ends a piece of the parser's
        if form or conversion:
            raise ValueError(f"the layout {layout!r} must have names alone in its braces")
        if name is not None:
            found.append(Piece(text, name))
            text = ""
    names = [piece.name for piece in found]
    if len({*names}) < len(names) or "" in names:
        raise ValueError(f"the layout {layout!r} must have each name once")
    return (*found, Piece(text, None))


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout, as text."""

    text: str

    @property
    def start(self) -> str:
        """What every key begins with."""
        return pieces_of(self.text)[0].text

    @property
    def names(self) -> tuple[str, ...]:
        """The names in braces, in their order."""
        return tuple(piece.name for piece in pieces_of(self.text) if piece.name is not None)

    def refuse_unless_it_begins_with(self, name: str) -> None:
        """Raise `ValueError` unless this is the first name."""
        if self.names[:1] != (name,):
            raise ValueError(f"the layout {self.text!r} must have {{{name}}} as its first name")

    def refuse_unless_it_ends_with(self, name: str) -> None:
        """Raise `ValueError` unless this is the only name, with nothing behind it."""
        if self.names != (name,) or not self.text.endswith(f"{{{name}}}"):
            raise ValueError(f"the layout {self.text!r} must be a text and then {{{name}}}")

    def refuse_other_names(self, *names: str) -> None:
        """Raise `ValueError` unless these are the names, in whatever order."""
        if {*self.names} != {*names}:
            told = " and ".join(f"{{{name}}}" for name in names)
            raise ValueError(f"the layout {self.text!r} must have {told}, and no other name")

    def refuse_names_beyond(self, *names: str) -> None:
        """Raise `ValueError` for a name that is none of these."""
        if beyond := sorted({*self.names} - {*names}):
            told = ", ".join(f"{{{name}}}" for name in beyond)
            raise ValueError(f"the layout {self.text!r} cannot have {told}")

    def parts(self, key: str, **forms: str) -> dict[str, str] | None:
        """Return the parts of a key by their names; None if it does not have the layout. `forms`
        are regular expressions of single parts; others may be anything."""
        match = _pattern(self.text, tuple(forms.items())).fullmatch(key)
        return match.groupdict() if match else None


@cache
def _pattern(layout: str, forms: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
    known = dict(forms)
    return re.compile(
        "".join(
            re.escape(text) + (f"(?P<{name}>{known.get(name, '.*')})" if name else "")
            for text, name in pieces_of(layout)
        ),
        re.DOTALL,  # a source may hold a line break, and S3 takes it
    )


@dataclass(frozen=True, slots=True)
class RawLayout:
    """The layout of raw keys below their prefix: folders, one of which is the event date.

    Raises `ValueError` for a layout by which no window of event time could be listed.
    """

    text: str

    def __post_init__(self) -> None:
        names = Layout(self.text).names
        unknown = sorted({*names} - {*RawKey._fields})
        if unknown or "event_id" not in names:
            raise ValueError(
                f"the layout of raw keys {self.text!r} must have {{event_id}}, and else only "
                + ", ".join(f"{{{name}}}" for name in RawKey._fields if name != "event_id")
            )
        if not (self._folders and self._folders[-1].endswith("{event_date}")):
            raise ValueError(
                f"the layout of raw keys {self.text!r} must have a folder that ends with "
                "{event_date}, so that a window can be listed"
            )

    def parsed(self, key: str) -> RawKey | None:
        """Return the parts of a key, or None if it does not have the layout."""
        match = _pattern(self.text, _OF_RAW_KEYS).fullmatch(key)
        if not match:
            return None
        found = match.groupdict()
        return RawKey(**{name: found.get(name) for name in RawKey._fields})  # type: ignore[arg-type]

    @property
    def _folders(self) -> tuple[str, ...]:
        """The folders down to the first that names the event date; none if no folder does."""
        folders = self.text.split("/")[:-1]
        depth = next((n for n, one in enumerate(folders, 1) if "{event_date}" in one), 0)
        return tuple(folders[:depth])

    @property
    def levels(self) -> tuple[str, ...]:
        """What the names of the folders begin with, down to and with that of the event date."""
        return tuple(Layout(folder).start for folder in self._folders)

    def marks_of(self, name: str) -> tuple[str, str] | None:
        """Return the words before and behind a part of a key, as "source=" and "/event_type="; None
        if it does not stand between words."""
        known = pieces_of(self.text)
        for piece, following in pairwise(known):
            if piece.name == name and _WORD.search(piece.text) and _WORD.search(following.text):
                return piece.text, following.text
        return None

    def part_in_key(self, name: str, prefix: str) -> str:
        """Return a regular expression of whole keys whose only group is a part of theirs, for any
        engine; one that no key has if the layout has no such part."""
        known = dict(_OF_RAW_KEYS)
        if name not in Layout(self.text).names:
            return r"^()\z"
        parts = (
            re.escape(text) + ("(.*)" if one == name else known.get(one, ".*") if one else "")
            for text, one in pieces_of(self.text)
        )
        # A part may hold any line break, of which engines have their own idea in `.` and `$`.
        return rf"(?s)^{re.escape(prefix)}{''.join(parts)}\z"

    def date_of(self, key: str) -> str | None:
        """Return the event date in a key below the prefix, or None if there is no real one."""
        found = _dated(self.text).match(key)
        return found["day"] if found else None

    @property
    def dated(self) -> str:
        """A regular expression of how keys with a real event date begin; its group is `day`."""
        *above, _ = self._folders
        start = "".join(
            re.escape(Layout(one).start) + ("[^/]*/" if Layout(one).names else "/") for one in above
        )
        return f"{start}{re.escape(self.levels[-1])}(?P<day>{_DAY})/"

    def date_in_key(self, prefix: str) -> str:
        """Return a regular expression that finds the event date in a whole key, as its only group,
        for any engine. A folder whose name no other ends with is found anywhere."""
        name = self.levels[-1]
        starts = [Layout(folder).start for folder in self.text.split("/")[:-1]]
        if name and sum(start.endswith(name) for start in starts) == 1:
            return f"{re.escape(name)}({_DAY})/"
        return f"^{re.escape(prefix)}{self.dated.replace('(?P<day>', '(')}"


@cache
def raw_layout_of(text: str) -> RawLayout:
    """Return a layout of raw keys, looked through once."""
    return RawLayout(text)


@cache
def _dated(text: str) -> re.Pattern[str]:
    return re.compile(raw_layout_of(text).dated)
