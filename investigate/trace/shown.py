"""A story as notebooks show it: in words, as a table of hops, and as the numbers of a figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from investigate import display
from investigate.display import Numbers, Row, Shown
from investigate.model import Finding, Outcome
from investigate.trace.hops import Hop
from investigate.trace.story import Story

MOST_BURSTS = 4
QUIET = timedelta(minutes=5)  # what is further apart than this is not drawn on one axis


@dataclass(frozen=True)
class Traced:
    """One event's story, showing itself in words; `hops` are the numbers of its figure, and
    `objections` the checks that have the event among their keys."""

    story: Story | None
    findings: Sequence[Finding]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return self.shown()._repr_mimebundle_()

    def shown(self) -> Shown:
        """The story in words: how far it came, where it breaks, the stations, and every hop."""
        if self.story is None:
            return display.paragraph("no captured table names an event", kind="not-evaluated")
        story = self.story
        return display.stack(
            _verdict(story), _stations(story), _hops(story.hops), _errors(story), _effects(story),
            _more(story), label="Story",
        )  # fmt: skip

    @property
    def hops(self) -> Numbers:
        """The hops with their place in time, in bursts of activity."""
        if self.story is None:
            return Numbers("hops", unknown="no captured table names an event")
        return Numbers("hops", in_bursts(self.story.hops))

    @property
    def objections(self) -> Shown:
        """Every check that objects to this event, with what to do and what to leave alone."""
        if self.story is None:
            return display.paragraph("no event, so no check objects to it")
        event_id = self.story.event_id
        found = [f for f in self.findings if f.outcome is Outcome.FOUND and event_id in f.keys]
        if not found:
            return display.paragraph("No check has this event among its keys.")
        return display.findings_table(found)


def _verdict(story: Story) -> Shown:
    breaks = (
        f"The story breaks at {story.divergence}: {story.reason} ({story.code})."
        if story.divergence
        else "No break is known."
        if story.gaps
        else "Its story does not break."
    )
    later = f" Later breaks: {', '.join(story.further)}." if story.further else ""
    return display.stack(
        display.paragraph(f"Event {story.event_id}: {story.finished}."),
        display.paragraph(breaks + later),
        display.paragraph(f"The guard: {story.guard}."),
    )


def _stations(story: Story) -> Shown:
    return display.table(list(story.cells), [list(story.cells.values())], kind="coverage")


def _hops(hops: Sequence[Hop]) -> Shown:
    columns = ("at (UTC)", "station", "status", "what", "what it proves", "joined by", "told by")
    rows = [
        (hop.at, hop.station, hop.status, hop.what, hop.proves,
         f"{hop.joined_by} {hop.join_id}".strip(), hop.told_by)
        for hop in hops
    ]  # fmt: skip
    return display.table(columns, rows, caption=display.cut(len(rows), len(rows), "hops"))


def _errors(story: Story) -> Shown:
    if not story.errors:
        return display.paragraph("No hop went wrong, as far as is known.")
    rows = [
        ("candidate cause" if place == 0 else "later", hop.at, hop.station, hop.what)
        for place, hop in enumerate(story.errors)
    ]
    return display.table(("role", "at (UTC)", "station", "what"), rows, caption="What went wrong")


def _effects(story: Story) -> Shown:
    inside = display.table(("what", "times"), story.effects.items())
    return display.folded("How often each thing happened", inside)


def _more(story: Story) -> Shown:
    digests = [f"payload at {station}: {sha}" for station, sha in story.digests]
    lines = [*digests, *(f"who is told, {text}" for text in story.told)]
    lines += [f"open: {gap}" for gap in story.gaps]
    return display.folded(
        "Payload, who is told, and what is open",
        display.stack(*(display.paragraph(line) for line in lines)),
    )


def in_bursts(hops: Iterable[Hop]) -> list[Row]:
    """Return the hops that have a time as plain rows: place, burst (from 0), begins (of the burst),
    offset_s since then, seconds (how long), station, what, status, proves, joined_by, join_id, at,
    and `quiet_s`, the silence before the burst. Bursts are parted at the longest silences."""
    timed = [(hop, hop.at) for hop in hops if hop.at is not None]
    cuts = _cuts([at for _, at in timed])
    rows: list[Row] = []
    burst, quiet = -1, 0.0
    for place, (hop, at) in enumerate(timed):
        if place == 0 or place in cuts:
            quiet = (at - timed[place - 1][1]).total_seconds() if place else 0.0
            begins, burst = at, burst + 1
        length = max((hop.ended - at).total_seconds(), 0.0) if hop.ended else 0.0
        offset = (at - begins).total_seconds()
        row = _row(hop, place, burst, offset, length)
        rows.append({**row, "begins": f"{begins}", "quiet_s": quiet})
    return rows


def _cuts(moments: Sequence[datetime]) -> set[int]:
    """The places before which the longest silences lie, if they are long enough."""
    gaps = [
        (later - earlier, place + 1) for place, (earlier, later) in enumerate(pairwise(moments))
    ]
    longest = sorted((gap for gap in gaps if gap[0] > QUIET), reverse=True)[: MOST_BURSTS - 1]
    return {place for _, place in longest}


def _row(hop: Hop, place: int, burst: int, offset: float, length: float) -> Row:
    return {
        "place": place, "burst": burst, "offset_s": offset, "seconds": length,
        "station": hop.station, "what": hop.what, "status": hop.status, "proves": hop.proves,
        "joined_by": hop.joined_by, "join_id": hop.join_id, "at": f"{hop.at}",
    }  # fmt: skip
