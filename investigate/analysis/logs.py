"""Structured log lines as typed columns, and whether their absence means anything (D20)."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.roles import functions_of
from investigate.evidence import Evidence
from investigate.model import counted

# The levels from warning up, by all their names.
TROUBLE = ("WARN", "WARNING", "ERROR", "CRITICAL", "FATAL")
# The line that every run of a role writes when lines of level INFO arrive at all.
MARKERS = {"replay": "replay_enqueued", "processor": "processor_start"}
# How JSON writes what a text may not hold as it is (RFC 8259, section 7).
_ESCAPES = {'\\"': '"', "\\/": "/", "\\n": "\n", "\\r": "\r", "\\t": "\t"}
_BACKSLASH = "\ue000"  # stands for one meanwhile: a private character, which no log has


def lines(evidence: Evidence, message: str) -> ir.Table:
    """Return the captured lines with that message."""

    def said(known: Evidence) -> ir.Table:
        captured = known["log_lines"]
        return captured.filter(captured.message == message)

    return evidence.view(f"lines of {message}", said)


def text_in(json: ir.StringValue, name: str) -> ir.StringValue:
    """Return the text under a name of flat JSON, without its escapes; null if it is absent, empty,
    or has a character as a number (`\\u0000`), which no pattern can turn into a character."""
    # A pattern reads the same on every engine; JSON functions do not. It takes plain characters in
    # runs, because an alternative per character overflows the stack of Java on a long text.
    written = json.re_extract(f'"{name}" *: *"([^"\\\\]*(?:\\\\.[^"\\\\]*)*)"', 1).nullif("")
    text = written.replace("\\\\", _BACKSLASH)  # first, so that it escapes nothing that follows
    numbered = text.contains("\\u")
    for escape, meant in _ESCAPES.items():
        text = text.replace(escape, meant)
    return ibis.ifelse(numbered, ibis.null("string"), text.replace(_BACKSLASH, "\\"))


def with_text(rows: ir.Table, name: str) -> ir.Table:
    """Add a column of this name: what `text_in` says of the lines' `fields`.

    Lines without escapes that are written the usual way, nearly all, are cut at their quotes: of a
    long text that costs a fifth of a pattern, which would begin at the same place.
    """
    fields, lead = rows.fields, f'"{name}": "'
    at = fields.find(lead)
    usual = (at >= 0) & (fields.find(f'"{name}"') == at) & ~fields.contains("\\")
    rows = rows.mutate(usual=usual.fill_null(False), rest=fields.substr(at + len(lead)))
    own = rows.rest.substr(0, rows.rest.find('"')).nullif("")
    closed = rows.usual & rows.rest.contains('"')
    text = ibis.ifelse(closed, own, text_in(rows.fields, name))
    return rows.mutate(**{name: text}).drop("usual", "rest")


def whole_in(json: ir.StringValue, name: str) -> ir.IntegerValue:
    """Return the whole number under a name of flat JSON; null if it is absent."""
    return json.re_extract(f'"{name}" *: *(-?[0-9]+)', 1).nullif("").try_cast("int64")


def moment_of(text: ir.StringValue) -> ir.TimestampValue:
    """Return the time a pipeline's text stands for (ISO 8601 with `Z`); null for any other text."""
    parsed = text.replace("Z", "").try_cast("timestamp")
    # What also names an offset means two times, of which each engine takes another.
    plain = text.endswith("Z") & ~text.re_search(":[0-9.]*[+-]")
    return ibis.cases((plain, parsed), else_=ibis.null("timestamp"))


def info_lines_gap(evidence: Evidence, role: str) -> str:
    """Return why lines of level INFO of a role may be missing; empty if all runs left theirs.

    With the runtime's text format such lines never arrive (D20), so no line proves nothing.
    Raises `NotEvaluable` if log lines were not captured.
    """
    why = evidence.fact(
        f"silence of {role}", lambda known: _info_lines_gap(known, role), of_whole_case=True
    )
    return str(why)


def message_gap(evidence: Evidence, role: str, message: str) -> str:
    """Return why there may have been lines of a role with this message although not a single one
    was captured; empty if there is one, or if the role would have left it."""
    if evidence.engine.count(lines(evidence, message)):
        return ""
    why = _message_gap(evidence, role)
    return f"no {message} line was captured, and {why}" if why else ""


def _info_lines_gap(evidence: Evidence, role: str) -> str:
    marker = MARKERS[role]
    if not evidence.engine.count(lines(evidence, marker)):
        gap = _message_gap(evidence, role)
        if gap:
            return f"no {marker} line was captured, and {gap}"
    mute = evidence.engine.count(_mute_runs(evidence, role)) if evidence.has("invocations") else 0
    return f"{counted(mute, 'invocation')} of the role {role} left no {marker} line" if mute else ""


def _message_gap(evidence: Evidence, role: str) -> str:
    if not evidence.has("functions"):
        return f"whether such lines can arrive is unknown ({evidence.capture_gap('functions')})"
    own = functions_of(evidence, role)
    if not evidence.engine.count(own):
        return f"no function of the role {role} is known"
    plain = own.filter((own.log_format != "JSON").fill_null(True))
    if evidence.engine.count(plain):
        return f"with log format Text the INFO lines of the role {role} never arrive (D20)"
    if not evidence.has("invocations"):
        return f"whether the function ran is unknown ({evidence.capture_gap('invocations')})"
    return ""


def _mute_runs(evidence: Evidence, role: str) -> ir.Table:
    said = lines(evidence, MARKERS[role])
    names = said.select(name=said.function)
    if evidence.has("functions"):
        names = names.union(functions_of(evidence, role).select("name"))
    runs = evidence["invocations"]
    if role == "processor":  # a run that ended badly is retried; a replay may have sent half (D23)
        runs = runs.filter(runs.status == "ok")
    runs = runs.semi_join(names, runs.function == names.name)
    if evidence.horizon("log_lines")[1]:  # the lines of the latest runs may still be on their way
        runs = evidence.settled(runs, "ended_utc", "log_lines")
    return runs.anti_join(said, "request_id")
