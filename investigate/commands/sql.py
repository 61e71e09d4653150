"""`investigate sql`: the checks of a case as SQL to paste into another engine, such as Athena."""

from __future__ import annotations

import argparse
from pathlib import Path

from investigate.case import open_case
from investigate.checks import Check, book
from investigate.commands.console import Console
from investigate.commands.question import parameters_of
from investigate.entities import refuse_unknown_entities
from investigate.errors import InvestigationError, NotEvaluable, UsageError
from investigate.evidence import Scope
from investigate.settings import Thresholds, load_settings
from investigate.statements import recording_evidence, statement_of, table_definitions
from investigate.statements.dialects import Dialect, dialect_of
from investigate.statements.heading import MARK, headed, headed_tables
from investigate.statements.recording import RecordingEvidence
from investigate.whole_files import replace_all

TABLES_FILE = "tables.sql"
NOT_ASKED = NotEvaluable.exit_code


def run(options: argparse.Namespace, console: Console) -> int:
    """Print or write the statements; return 3 if a check cannot be asked of this case."""
    dialect = dialect_of(options.dialect)
    chosen = _chosen(options)
    evidence = _evidence(options)
    folder = _free_folder(options.out) if options.out else None
    texts, unanswered = {}, []
    if options.tables or folder:
        made = table_definitions(
            evidence.case, dialect, database=options.database, location=options.location
        )
        texts[TABLES_FILE] = headed_tables(evidence.case, dialect, made)
    for check in () if options.tables and not folder else chosen:
        try:
            texts[_file(check)] = _asked(check, evidence, dialect, options)
        except InvestigationError as error:
            if not isinstance(error, NotEvaluable) and error.exit_code != NOT_ASKED:
                raise
            unanswered.append(f"{check.code}: {error.message}")
    if folder:
        _write(folder, texts, console)
    else:
        console.out("\n\n".join(texts.values()))
    for told in unanswered:
        console.say(f"investigate: no statement for {told}")
    return NOT_ASKED if unanswered else 0


def _asked(
    check: Check, evidence: RecordingEvidence, dialect: Dialect, options: argparse.Namespace
) -> str:
    return headed(statement_of(check, evidence, dialect, database=options.database), evidence)


def _chosen(options: argparse.Namespace) -> list[Check]:
    """Return the checks that were named, or those of the steps; raise `UsageError`."""
    if options.check and options.step:
        raise UsageError("--check names the checks, so --step has no meaning", hint="leave one out")
    if options.check:
        named = {book[code].code for code in options.check}
        return [check for check in book if check.code in named]
    return [check for check in book if not options.step or check.step in options.step]


def _evidence(options: argparse.Namespace) -> RecordingEvidence:
    asked = parameters_of(options)
    case = open_case(asked.case)
    if case.lake:
        tables = ", ".join(case.lake)
        raise UsageError(
            f"{tables} is not in the case, which only points at it: no statement can read it",
            hint="capture a copy, without --in-place; its files can lie in S3",
        )
    thresholds = load_settings(options.config).thresholds if options.config else Thresholds()
    scope = Scope(asked.window(case.window), (asked.entity,) if asked.entity else ())
    evidence = recording_evidence(case, thresholds, scope)
    if evidence.entities:
        refuse_unknown_entities(evidence)
    return evidence


def _file(check: Check) -> str:
    return check.code.replace("/", "-") + ".sql"


def _free_folder(out: str) -> Path:
    """Return the folder to write to; raise `UsageError` if something else is in it."""
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {out} is a file", hint="give a folder, a new one or an empty one")
    strange = sorted(path.name for path in folder.glob("*") if not _is_ours(path))
    if strange:
        raise UsageError(
            f"--out {out} holds what this command did not write: {', '.join(strange[:5])}",
            hint="give a new folder, or an empty one",
        )
    return folder


def _is_ours(path: Path) -> bool:
    if path.suffix != ".sql" or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MARK)) == MARK.encode()


def _write(folder: Path, texts: dict[str, str], console: Console) -> None:
    """Put the statements into the folder, and take away those of an earlier question."""
    folder.mkdir(parents=True, exist_ok=True)
    earlier = set(folder.glob("*.sql"))
    written = {folder / name: text + "\n" for name, text in texts.items()}
    replace_all(written)
    for path in sorted(earlier - set(written)):
        path.unlink()
    console.say(f"{len(written)} files in {folder}: first {TABLES_FILE}, then a check")
