"""What a capture was begun with, compared with what it is asked to go on with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from investigate.errors import UsageError
from investigate.model import isoformat, parse_time

VERSION = "investigate"  # the entry that says which version of this package began it
# Later, what has expired in between (a dedupe row, an object, a log line) would seem to have been
# lost beside what was read in time.
LONGEST_PAUSE = timedelta(hours=24)
_AT = "captured_at"
_FLAGS = {
    "payloads": ("--no-payloads", False),
    "mask_account": ("--mask-account", True),
    "force_sampling": ("--force-sampling", True),
}
_OPTIONS = {
    "sample_messages": "--sample-messages",
    "only": "--only",
    "entities": "--entity",
    "mask": "--mask",
    "region": "the region",
    "window": "the window",
    "account_id": "credentials of the account",
    VERSION: "version",
}
_FIRST = (VERSION, *_FLAGS)  # to be named: what explains the others


def read_begun(path: Path) -> dict[str, Any]:
    """Return what the capture of this draft was begun with; raise `UsageError` if the file does not
    say that any more."""
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
        parse_time(begun[_AT], _AT)
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError, UsageError) as error:
        raise UsageError(
            f"{path} does not say any more how the capture was begun",
            hint=f"remove {path.parent} and begin again without --resume",
        ) from error
    return dict(begun)


def refuse_another(begun: Mapping[str, Any], asked: Mapping[str, Any], draft: Path) -> None:
    """Raise `UsageError` if a capture cannot go on: too late, or as something else.

    The time of capture stays that of the first run; all else must be the same.
    """
    _refuse_late(begun, asked, draft)
    changed = [name for name in (*begun, *asked) if begun.get(name) != asked.get(name)]
    for name in sorted({*changed} - {_AT}, key=lambda name: (name not in _FIRST, name)):
        was, now = _told(name, begun.get(name)), _told(name, asked.get(name))
        raise UsageError(
            f"the unfinished capture was begun {was}, not {now}", hint=_hint(name, begun, draft)
        )


def _refuse_late(begun: Mapping[str, Any], asked: Mapping[str, Any], draft: Path) -> None:
    first, now = parse_time(begun[_AT], _AT), parse_time(asked[_AT], _AT)
    if now < first:
        raise UsageError(
            f"the unfinished capture was begun at {isoformat(first)}, which is after "
            f"{isoformat(now)}",
            hint="with --resume, --now is the time of going on",
        )
    if now - first > LONGEST_PAUSE:
        raise UsageError(
            f"the unfinished capture was begun at {isoformat(first)}, more than 24 hours ago: what "
            "has expired since would seem to be lost",
            hint=f"remove {draft} and begin again without --resume",
        )


def _told(name: str, value: Any) -> str:
    if name in _FLAGS:
        option, given = _FLAGS[name]
        return f"with {option}" if value == given else f"without {option}"
    shown = ",".join(map(str, value)) if isinstance(value, list) else value
    if name in _OPTIONS and not shown:
        return f"without {_OPTIONS[name]}"
    return f"with {_OPTIONS.get(name, name)} {shown!r}"


def _hint(name: str, begun: Mapping[str, Any], draft: Path) -> str:
    if name == VERSION:
        same = f"go on with version {begun.get(name)} of investigate"
    else:
        same = "resume with the same configuration and options"
    return f"{same}, or remove {draft} and begin again"
