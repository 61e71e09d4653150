"""What every notebook works with: one case, one question, the findings, and how they are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import ibis.expr.types as ir

from investigate import display
from investigate.checks import book
from investigate.display import Numbers, Row, Shown
from investigate.engine import open_engine
from investigate.errors import EngineError, NotEvaluable
from investigate.evidence import Evidence
from investigate.findings import Examination, examine, read_examination
from investigate.injected import refuse_unknown_injected
from investigate.memory import EngineMemory, MemoryLimit, spill_folder
from investigate.model import Finding, Outcome, Step, verdict
from investigate.numbers.overview import story_breaks
from investigate.opening import evidence_for
from investigate.own_findings import finding_of, own_findings_in, save
from investigate.parameters import Parameters, case_folder, refuse_unusable
from investigate.precomputed import SHOWN_ROWS, first_rows, read_precomputed
from investigate.queries import Answer, CaseTables, answer
from investigate.shown_findings import every_answer, in_brief, lead_of, scope_line
from investigate.symptom_answers import (
    EXPLAINED,
    NOT_TOLD,
    SymptomAnswer,
    answer_symptom,
    table_of,
)
from investigate.symptoms import SYMPTOMS
from investigate.tables import TABLES
from investigate.trace.focus import first_event
from investigate.trace.shown import Traced
from investigate.trace.story import story_of
from investigate.version_comparison import side_by_side

RESULT_MIME = "application/vnd.investigate.result+json"
RESULT_SCHEMA = "investigate.result/1"
OVERVIEW = "overview"

Question = Callable[[Evidence], Sequence[Row]]


def open_investigation(
    case: str,
    *,
    start: str = "",
    end: str = "",
    entity: str = "",
    findings: str = "",
    memory: str | MemoryLimit | None = None,
    spill: str | Path | None = None,
) -> Investigation:
    """Return the investigation of a case, cut to a window and an entity if they are given.

    `case` is a folder, or the name of a demo case; see `case_folder` for where it is looked for.
    `findings` names a findings document of the same case and question; without it the checks are
    run. `memory` ("2GB", "30%") is what queries may take; what is more goes into a private folder
    in `spill`. The environment variables INVESTIGATE_MEMORY and INVESTIGATE_SPILL say so for all
    notebooks; otherwise it is 60% of the memory there is.

    Raises `CaseError` or `UsageError` with what was asked, what there is and what to type.
    """
    refuse_unknown_injected()
    asked = Parameters(case, start, end, entity, findings)
    engine_memory = EngineMemory.asked(
        MemoryLimit.parse(memory, "memory") if isinstance(memory, str) else memory,
        spill_folder(spill, "spill") if isinstance(spill, str) else spill,
    )
    evidence = evidence_for(
        replace(asked, case=str(case_folder(case))),
        engine=partial(open_engine, memory=engine_memory),
    )
    if not asked.findings:
        return Investigation(evidence, examine(evidence))
    known = read_examination(asked.findings, evidence)
    read_precomputed(evidence, Path(asked.findings))
    return Investigation(evidence, known, own_findings_in(known.document))


@dataclass(frozen=True, repr=False)
class Investigation:
    """A case and what the checks say about it; every method returns something a cell can show.

    `tables` are the captured tables and the ledger; `query` asks something of your own of them, and
    `add_finding` keeps the answer beside the findings of the checks, which never change.
    """

    evidence: Evidence
    examination: Examination
    own_findings: dict[str, Finding] = field(default_factory=dict)  # by code

    def __repr__(self) -> str:
        case, told = self.evidence.case.name, display.tally(self.findings)
        return display.visible(
            f"<Investigation of {case}: {verdict(self.findings)} ({told}); see .headline(), "
            ".findings_in_brief(), .tables, .query(…)>"
        )

    @property
    def tables(self) -> CaseTables:
        """The captured tables and the ledger, as Ibis tables: `incident.tables.ledger`."""
        return CaseTables(self.evidence)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every check's answer, in the order of the book."""
        return self.examination.findings

    def headline(self, step: str = "") -> Shown:
        """The verdict of a step, or of the whole case, and the strip of all six steps."""
        lead = lead_of(step or f"the case {self.evidence.case.name}", self._of(step))
        strip = display.strip(self.findings, Step.parse(step) if step else None)
        pieces = (lead, strip, scope_line(self.evidence), *self._own_of(step))
        shown = display.stack(*pieces, label="Verdict")
        return display.Opening(shown.html, shown.text)

    def coverage(self, step: str = "") -> Shown:
        """What was captured of the tables that a step's checks read, or of every table."""
        rows = []
        for table in self._tables_of(step):
            known = self.evidence.coverage_of(table)
            count = self.evidence.case.count(table)
            word = "passed" if known.status == "captured" else "not-evaluated"
            status = Shown(f"{display.MARKS[word]} {display.esc(known.status)}", known.status)
            rows.append((table, status, "" if count is None else f"{count:,}", known.reason or ""))
        columns = ("table", "capture", "rows", "why not, or not all")
        shown = display.table(columns, rows, kind="coverage")
        return display.stack(shown, label="What was captured")

    def findings_of(self, step: str = "") -> Shown:
        """Every check of a step with its answer; what could not be told is as loud as a fault."""
        pieces = (*every_answer(self._of(step)), *self._own_of(step))
        return display.stack(*pieces, label="Findings")

    def findings_in_brief(self) -> Shown:
        """Every check in one line: open what cannot wait and what could not be told, folded the
        rest; without anything urgent the suspects are open too."""
        return display.stack(*in_brief(self.findings), *self._own_of(""), label="Findings")

    def rows(self, code: str, limit: int = SHOWN_ROWS) -> Shown:
        """The offending rows of one check: at most `limit`, and how many there are in all."""
        finding = self._finding(code)
        if finding.outcome is Outcome.PASSED:
            return display.paragraph(f"{code}: {finding.summary}", kind="passed")
        if finding.outcome is not Outcome.FOUND:
            return display.paragraph(f"{code}: {finding.summary}", kind=finding.outcome.value)
        rows, total = first_rows(self.evidence, code, limit)
        caption = f"{display.cut(len(rows), total)}. {finding.summary}"
        if total > len(rows):
            caption += " All keys are in findings.json."
        named = [{f"key: {finding.key}": row.pop("key"), **row} for row in rows]
        return display.stack(display.row_table(named, caption=caption), label=code)

    def evidence_of(self, step: str = "", limit: int = SHOWN_ROWS) -> Shown:
        """The offending rows of all that a step's checks found, each folded under its sentence."""
        found = [f for f in display.by_weight(self._of(step)) if f.outcome is Outcome.FOUND]
        if not found:
            return display.paragraph("No check found anything, so there are no rows to show.")
        pieces = [
            display.folded(
                f"{finding.code} ({finding.severity.label}): {finding.summary}",
                self.rows(finding.code, limit),
                anchor=f"rows-{finding.code.replace('/', '-')}",
            )
            for finding in found
        ]
        return display.stack(*pieces, label="Offending rows")

    def query(self, asked: str | ir.Table, limit: int = 50) -> Answer:
        """Return the answer to one SELECT in DuckDB's SQL, or to an Ibis expression, over `tables`.

        It is shown as a table of at most `limit` rows; `.to_pandas()` has them all. SQL reads the
        tables of the case and no file. Raises `UsageError`, or `NotEvaluable` for a table that was
        not captured.
        """
        return answer(self.evidence, asked, limit)

    def add_finding(
        self,
        code: str,
        rows: Answer | ir.Table | str,
        *,
        step: str,
        key: str,
        severity: str,
        question: str,
        advice: str = "",
    ) -> Shown:
        """Keep an answer as a finding of your own and return it as it will be shown.

        `code` begins with own/; the same code again replaces what it named. `rows` is a query or
        its answer, and `key` the column that identifies a row. Rows outside the window and the
        entity asked about do not count, if their columns tell. Without rows the finding has passed,
        unless a table does not show everything.
        The verdict of the case stays that of the checks. Raises `UsageError` for what cannot be.
        """
        found = rows if isinstance(rows, Answer) else self.query(rows)
        finding = finding_of(
            code, found, step=step, key=key, severity=severity, question=question, advice=advice
        )
        self.own_findings[code] = finding
        return display.stack(display.findings_table([finding]), label=code)

    def save_findings(self, path: str | Path) -> Shown:
        """Write findings.json with your own findings in it, and return a sentence that says so.

        Give the file as `findings` to open the case with them again. Raises `UsageError` if it
        would replace a file that holds no findings or those of another case or question, or cannot
        be written.
        """
        save(Path(path), self.examination.document, list(self.own_findings.values()))
        return display.paragraph(f"{path}: {display.tally(self.findings)}; own findings: "
                                 f"{len(self.own_findings)}.")  # fmt: skip

    def numbers(self, question: Question) -> Numbers:
        """The small table that a function of `investigate.numbers` makes of the evidence; where the
        evidence cannot tell, the reason instead of a table."""
        name = question.__name__.replace("_", " ")
        try:
            return Numbers(name, question(self.evidence))
        except (NotEvaluable, EngineError) as unknown:
            return Numbers(name, unknown=unknown.message)

    def symptom(self, name: str) -> SymptomAnswer:
        """What this case answers to a symptom of `investigate.symptoms`."""
        return answer_symptom(name, self.findings, self.evidence)

    def symptoms(self) -> Shown:
        """What a person may have seen, each with what this case answers to it, worst first."""
        answers = [self.symptom(name) for name in SYMPTOMS]
        weight = {EXPLAINED: 0, NOT_TOLD: 1}
        ordered = sorted(answers, key=lambda one: weight.get(one.word, 2))
        return display.stack(table_of(ordered), label="Symptoms")

    def compare(
        self,
        entity: str = "",
        day: str = "",
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> Shown:
        """Two versions of one day side by side: inputs added, removed, with another payload.

        Without names the day that most needs it, without numbers its two newest versions. Raises
        `UsageError` for a day or a version that is not there.
        """
        return side_by_side(self.evidence, entity, day, before, after, limit)

    def breaks(self) -> Shown:
        """Where the stories of events break first: station, check, how, events, and examples."""
        found = self.numbers(story_breaks)
        if found.unknown:
            return display.paragraph(f"the ledger: {found.unknown}", kind="not-evaluated")
        if not found.rows:
            words = "no check objects to the story of any event, as far as the evidence tells"
            return display.paragraph(words)
        return display.row_table(found.rows)

    def trace(self, event: str = "") -> Traced:
        """The story of one event, by its id or how that begins; empty: of the event that most needs
        a look, the first key of the worst finding about events."""
        refuse_unusable("event", event)
        asked = event or self._most_telling()
        return Traced(story_of(self.evidence, asked) if asked else None, self.findings)

    def _most_telling(self) -> str:
        found = [f for f in display.by_weight(self.findings) if f.outcome is Outcome.FOUND]
        return next((f.keys[0] for f in found if f.key == "event_id"), first_event(self.evidence))

    def verdicts(self) -> Numbers:
        """How many checks of each step ended how: step, word, checks."""
        counted = Counter((f.step.value, display.word_of(f)) for f in self.findings)
        rows = [
            {"step": step, "word": word, "checks": checks}
            for (step, word), checks in counted.items()
        ]
        return Numbers("verdicts", rows)

    def result(self, step: str = "") -> Shown:
        """The last cell: the verdict for machines, and proof that the notebook ran to its end."""
        own = self._of(step)
        counts = {outcome.value: sum(f.outcome is outcome for f in own) for outcome in Outcome}
        name = step or OVERVIEW
        result = {
            "schema": RESULT_SCHEMA, "step": name, "verdict": verdict(own), "counts": counts,
        }  # fmt: skip
        said = display.paragraph(f"{name}: {display.tally(own)}.", kind=verdict(own))
        return Shown(said.html, said.text, {RESULT_MIME: result})

    def _of(self, step: str) -> list[Finding]:
        wanted = Step.parse(step) if step else None
        return [finding for finding in self.findings if wanted in (None, finding.step)]

    def _own_of(self, step: str) -> list[Shown]:
        """Return the analyst's findings under a line that keeps them apart, if there are any."""
        own = [f for f in self.own_findings.values() if step in ("", f.step.value)]
        title = "Your own findings, which the verdict above does not count:"
        return [display.paragraph(title), display.findings_table(own)] if own else []

    def _finding(self, code: str) -> Finding:
        known = book[code]  # names the codes there are
        return next(finding for finding in self.findings if finding.code == known.code)

    def _tables_of(self, step: str) -> list[str]:
        if not step:
            return list(TABLES)
        read = {table for check in book.of(Step.parse(step)) for table in check.tables}
        return [table for table in TABLES if table in read]
