"""`investigate symptoms`: start from what you see; with a case, what its checks answer."""

from __future__ import annotations

import argparse
import textwrap

from investigate.commands.console import Console
from investigate.commands.question import evidence_of
from investigate.errors import UsageError
from investigate.parameters import Parameters, case_folder, is_case
from investigate.symptom_answers import SymptomAnswer, answer_symptoms
from investigate.symptoms import SYMPTOMS, matching
from investigate.terminal_text import WIDTH, printable


def run(options: argparse.Namespace, console: Console) -> int:
    """Print the symptoms that fit the words, with the answers of a case if one is named."""
    words: list[str] = [*options.words, ""]
    first, others = words[0], words[1:]
    if "/" in first and not is_case(first):
        case_folder(first)  # says which cases there are
    case = first if first and is_case(first) else ""
    text = " ".join(others if case else (first, *others)).strip()
    names = matching(text)
    if not names:
        raise _unknown(text)
    if not case:
        more = "With a case, each is answered: investigate symptoms CASE [TEXT]"
        console.out("\n\n".join([*(_described(name) for name in names), more]))
        return 0
    evidence = evidence_of(options, asked=Parameters(str(case_folder(case))))
    console.out("\n\n".join(_answered(answer) for answer in answer_symptoms(names, evidence)))
    return 0


def _unknown(text: str) -> UsageError:
    return UsageError(
        f"no symptom fits {text!r} (known: {', '.join(SYMPTOMS)})",
        hint="give a case, then words of what you see; list all: investigate symptoms",
    )


def _described(name: str) -> str:
    symptom = SYMPTOMS[name]
    return "\n".join((
        symptom.seen.upper(), *_paragraph("checks", ", ".join(symptom.checks)),
        *_paragraph("reads", ", ".join(symptom.tables)), *_paragraph("mind", symptom.mind),
    ))  # fmt: skip


def _answered(answer: SymptomAnswer) -> str:
    lines = [f"{answer.symptom.seen.upper()}: {answer.word}"]
    for finding in answer.found:
        told = f"{finding.code} ({finding.severity.label}): {finding.summary}"
        lines += _paragraph("found", told)
    for finding in answer.untold:
        lines += _paragraph("not told", f"{finding.code}: {finding.reason}")
    for gap in answer.gaps:
        lines += _paragraph("unseen", gap)
    if answer.passed:
        lines += _paragraph("passed", ", ".join(finding.code for finding in answer.passed))
    return "\n".join([*lines, *(_paragraph("mind", answer.mind) if answer.mind else [])])


def _paragraph(label: str, text: str) -> list[str]:
    wrapped = textwrap.wrap(printable(text), WIDTH - 12, break_on_hyphens=False)
    return [f"  {label if n == 0 else '':<9} {line}" for n, line in enumerate(wrapped)]
