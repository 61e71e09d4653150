"""What a case answers to a symptom: the findings of its checks, and what could not be seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from investigate import display
from investigate.analysis import logs
from investigate.checks import answer, book
from investigate.display import Shown
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.model import Finding, Outcome, Severity
from investigate.pipeline import REFERENCE
from investigate.symptoms import SYMPTOMS, Symptom
from investigate.wording import worded

EXPLAINED = "explained"  # a check found what may cause it
NOT_TOLD = "not told"  # nothing was found, and something could not be seen
NOT_HERE = "not in this case"  # every check that could explain it passed

_WORDS = {EXPLAINED: "dangerous", NOT_TOLD: "not-evaluated", NOT_HERE: "passed"}
SHOWN = 3


@dataclass(frozen=True, slots=True)
class SymptomAnswer:
    """A symptom with the findings of its checks, the worst first, and the gaps in its evidence."""

    symptom: Symptom
    findings: tuple[Finding, ...]
    gaps: tuple[str, ...]

    @property
    def found(self) -> list[Finding]:
        """What was found that is more than expected."""
        return [
            finding
            for finding in self.findings
            if finding.outcome is Outcome.FOUND and finding.severity > Severity.EXPECTED
        ]

    @property
    def untold(self) -> list[Finding]:
        """The checks that could not tell, or failed to run."""
        unsure = (Outcome.NOT_EVALUATED, Outcome.ERROR)
        return [finding for finding in self.findings if finding.outcome in unsure]

    @property
    def passed(self) -> list[Finding]:
        """The checks that passed, or found what is expected."""
        return [f for f in self.findings if f not in self.found and f not in self.untold]

    @property
    def word(self) -> str:
        """`explained`, `not told` or `not in this case`."""
        if self.found:
            return EXPLAINED
        return NOT_TOLD if self.untold or self.gaps else NOT_HERE

    @property
    def mind(self) -> str:
        """What to mind; nothing where the case shows that there is nothing of it."""
        return "" if self.word == NOT_HERE else self.symptom.mind


def answer_symptom(name: str, findings: Iterable[Finding], evidence: Evidence) -> SymptomAnswer:
    """Return what the findings of a case say to the symptom of that name."""
    symptom, design = SYMPTOMS[name], evidence.design
    if design != REFERENCE:
        seen, mind = worded(symptom.seen, design), worded(symptom.mind, design)
        symptom = replace(symptom, seen=seen, mind=mind)
    known = {finding.code: finding for finding in findings}
    own = display.by_weight(known[code] for code in symptom.checks if code in known)
    return SymptomAnswer(symptom, tuple(own), tuple(_gaps(symptom, evidence)))


def answer_symptoms(names: Sequence[str], evidence: Evidence) -> list[SymptomAnswer]:
    """Return what a case answers to the symptoms of these names; no other checks than theirs are
    run."""
    wanted = {code for name in names for code in SYMPTOMS[name].checks}
    findings = [answer(check, evidence) for check in book if check.code in wanted]
    return [answer_symptom(name, findings, evidence) for name in names]


def _gaps(symptom: Symptom, evidence: Evidence) -> list[str]:
    gaps = [evidence.capture_gap(name) for name in symptom.tables if not evidence.has(name)]
    for role in symptom.silent if evidence.has("log_lines") else ():
        try:
            silence = logs.info_lines_gap(evidence, role)
        except NotEvaluable as unknown:
            silence = unknown.message
        gaps += [silence] if silence else []
    return gaps


def table_of(answers: Sequence[SymptomAnswer]) -> Shown:
    """Return the symptoms as a table: what is seen and what to mind, the answer, and by which
    checks: those that found the worst."""
    columns = ("what you see", "answer", "found by")
    return display.table(columns, [_row(answer) for answer in answers], kind="symptoms")


def _row(answer: SymptomAnswer) -> tuple[object, ...]:
    word = display.word_of(answer.found[0]) if answer.found else _WORDS[answer.word]
    unsure = [*(finding.code for finding in answer.untold), *answer.gaps]
    doubt = f"not seen: {'; '.join(unsure)}" if unsure else ""
    return (
        _with_small(display.esc(answer.symptom.seen), answer.symptom.seen, answer.mind),
        _with_small(f"{display.badge(word)} {answer.word}", answer.word, doubt),
        _codes(answer.found),
    )


def _with_small(html: str, text: str, small: str) -> Shown:
    if not small:
        return Shown(html, text)
    said = display.prose(small)
    return Shown(f"{html}<br><small>{said.html}</small>", f"{text} ({said.text})")


def _codes(found: Sequence[Finding]) -> Shown:
    """The worst few, each with its number of rows."""
    shown = [f"<code>{display.esc(one.code)}</code> {one.count:,}" for one in found[:SHOWN]]
    told = [f"{one.code} {one.count:,}" for one in found[:SHOWN]]
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return Shown("<br>".join([*shown, *more]), ", ".join([*told, *more]))
