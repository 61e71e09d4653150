"""Every deliberate error: one tree, each with a hint of what to type next and an exit code.

InvestigationError            2
├── UsageError                2   the command line, a window, a parameter, a code or a step is wrong
├── SettingsError             2   the configuration file is wrong
├── CaseError                 2   the folder is not a case this version can read
│   ├── CaseVersionError      2   a case of another schema version
│   └── CaseDamagedError      2   a digest, a file or a column is not what the manifest says
├── DesignError               2   the design of a pipeline is not installed, or is none
├── AccessError               2   AWS refused, or cannot be reached
├── WriteRefused              2   an operation that is not on the read-only list
├── RecoveryRefused           2   a rule of the recovery forbids what was asked; it is named
├── EngineError               3   a query could not be run; the check that asked becomes `error`
└── NotEvaluable              3   a check cannot tell from the evidence there is
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MANY = 20  # more names than a message should hold
_LONGEST = 200  # characters of what somebody wrote that a message repeats


def quoted(value: object) -> str:
    """Return a value as a message may repeat it: as Python writes it, cut where it gets long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or nested too deeply
        return f"a {type(value).__name__} that cannot be shown"
    rest = len(text) - _LONGEST
    return text if rest <= 0 else f"{text[:_LONGEST]}… ({rest:,} characters more)"


def did_you_mean(asked: str, names: Iterable[str]) -> str:
    """Return a question with the known names nearest to what was asked; empty if none is near."""
    near = get_close_matches(str(asked)[:_LONGEST], list(names), n=3, cutoff=0.5)
    return "did you mean " + " or ".join(repr(name) for name in near) + "?" if near else ""


class InvestigationError(Exception):
    """Something the user can act on; `hint` says what to type next."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the message and the hint. Where they came from helps nobody."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(InvestigationError):
    """The question was asked in a way that has no answer."""

    @classmethod
    def unknown(cls, kind: str, asked: str, known: Iterable[str], *, hint: str = "") -> UsageError:
        """Name what was asked, the nearest known names, and all of them; of many names that
        `hint` says how to list, only the nearest."""
        names = list(known)
        near = did_you_mean(asked, names)
        listed = "" if hint and len(names) > MANY else f" (known: {', '.join(names) or 'none'})"
        told = " ".join(text for text in (near, hint) if text)
        return cls(f"unknown {kind} {quoted(asked)}{listed}", hint=told)


class SettingsError(InvestigationError):
    """The configuration cannot be used as it stands."""


class CaseError(InvestigationError):
    """The folder cannot be read as a case."""


class CaseVersionError(CaseError):
    """The case was written by another version of the format."""


class CaseDamagedError(CaseError):
    """The case does not hold what its manifest says."""


class DesignError(InvestigationError):
    """The design of a pipeline is not installed here, or describes none."""


class AccessError(InvestigationError):
    """AWS refused an operation, or could not be reached.

    `kind` is denied, not-found, credentials, expired, unreachable or failed; `code` is AWS's own
    word, and `asked` the action and the resource.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        kind: str = "failed",
        code: str = "",
        asked: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.code = code
        self.asked = asked


class WriteRefused(InvestigationError):
    """An operation that could change a pipeline was refused before it left this machine."""


class RecoveryRefused(InvestigationError):
    """A rule of the recovery forbids what was asked; `rule` is its name in docs/recovery.md."""

    def __init__(self, message: str, *, hint: str = "", rule: str = "") -> None:
        super().__init__(f"refused ({rule}): {message}", hint=hint)
        self.rule = rule


class EngineError(InvestigationError):
    """The engine could not run a query."""

    exit_code = 3


class NotEvaluable(InvestigationError):
    """The evidence there is cannot answer the question; becomes `not-evaluated`, never `passed`."""

    exit_code = 3
