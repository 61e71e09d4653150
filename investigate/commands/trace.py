"""`investigate trace`: one event's whole life, hop by hop, with the first break named."""

from __future__ import annotations

import argparse
import json
from datetime import datetime, timedelta

from investigate.commands.console import Console
from investigate.commands.question import evidence_of
from investigate.display import visible
from investigate.parameters import Parameters, refuse_unusable
from investigate.terminal_text import labelled, table
from investigate.trace import Hop, Story, document, story_of

MARKS = {"ok": " ", "error": "✗", "guard": "·", "missing": "∅", "waiting": "…", "unknown": "?"}


def run(options: argparse.Namespace, console: Console) -> int:
    """Print the story of one event; whether that is bad is for `investigate check` to say."""
    refuse_unusable("event", options.event)
    evidence = evidence_of(options, asked=Parameters(case=options.case))
    story = story_of(evidence, options.event)
    if options.format == "json":
        told = document(story, evidence.case.name)
        console.out(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        console.out("\n\n".join(part for part in _parts(story) if part))
    return 0


def _parts(story: Story) -> list[str]:
    return [
        _head(story), _stations(story), _hops(story), _errors(story), _effects(story),
        _more(story),
    ]  # fmt: skip


def _head(story: Story) -> str:
    who, (advice, avoid) = story.who, story.advice
    breaks = (
        f"{story.divergence}: {story.reason} ({story.code})"
        if story.divergence
        else ("none known" if story.gaps else "none")
    )
    lines = [
        f"EVENT {story.event_id}: {story.finished}",
        "",
        labelled("first break", breaks),
        labelled("of", f"{who['entity_id'] or 'an unknown entity'}, source "
                 f"{who['source'] or 'unknown'}, event time {_moment(who['event_time_utc'])}"),
    ]  # fmt: skip
    if story.further:
        lines.insert(3, labelled("later", ", ".join(story.further)))
    if advice:
        lines += [labelled("do", advice), labelled("do not", avoid)]
    return visible_lines("\n".join(lines))


def visible_lines(text: str) -> str:
    """Return a text of several lines in which every other character can be seen."""
    return "\n".join(visible(line) for line in text.split("\n"))


def _stations(story: Story) -> str:
    return " → ".join(f"{station} {cell}" for station, cell in story.cells.items())


def _hops(story: Story) -> str:
    if not story.hops:
        return "HOPS\n\nNo hop is known."
    first = next((hop.at for hop in story.hops if hop.at), None)
    return "HOPS\n\n" + "\n".join(line for hop in story.hops for line in _hop(hop, first))


def _hop(hop: Hop, first: datetime | None) -> list[str]:
    """A hop on lines of its own: when and where, what happened, what it proves, and by which id."""
    head = f"{MARKS[hop.status]} {_moment(hop.at):<24}  {_since(hop.at, first):>11}  "
    told = [f"{hop.station:<10}  {hop.what}", f"proves: {hop.proves}"]
    joined = f"{hop.joined_by}: {hop.join_id}" if hop.join_id else ""
    lines = [head + visible(told[0])]
    return lines + [f"{'':<{len(head) + 12}}{visible(text)}" for text in (told[1], joined) if text]


def _errors(story: Story) -> str:
    if not story.errors:
        return ""
    lines = [
        ("candidate cause" if place == 0 else "later", _moment(hop.at), visible(hop.what))
        for place, hop in enumerate(story.errors)
    ]
    return "ERRORS, in order of time\n\n" + table([("ROLE", "AT (UTC)", "WHAT"), *lines])


def _effects(story: Story) -> str:
    lines = [(what, str(count)) for what, count in story.effects.items()]
    return "EFFECTS, as often as known\n\n" + table([("WHAT", "TIMES"), *lines])


def _more(story: Story) -> str:
    changed = [f"{station} {sha[:12]}" for station, sha in story.digests]
    lines = [labelled("guard", story.guard)]
    if changed:
        lines.append(labelled("payload", ", then ".join(changed)))
    lines += [labelled("told" if not n else "", text) for n, text in enumerate(story.told)]
    lines += [labelled("open" if not n else "", text) for n, text in enumerate(story.gaps)]
    return visible_lines("\n".join(lines))


def _moment(at: datetime | None) -> str:
    return f"{at.isoformat(timespec='milliseconds')}Z" if at else "–"


def _since(at: datetime | None, first: datetime | None) -> str:
    if at is None or first is None:
        return ""
    return f"+{_span(at - first)}"


def _span(length: timedelta) -> str:
    seconds = length.total_seconds()
    if seconds < 120:
        return f"{seconds:.3f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} d"
