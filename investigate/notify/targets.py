"""Whom to tell: apprise URLs, which hold secrets and are therefore never shown whole."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

from apprise import Apprise, NotifyBase, NotifyType

from investigate.aws.secrets import HIDDEN, redact
from investigate.errors import UsageError
from investigate.model import Severity
from investigate.notify.courier import asset, send_from_process
from investigate.notify.message import LONGEST, Message

SECONDS = 30  # a target that takes longer has failed

# PagerDuty calls them critical, warning and info; Opsgenie opens an alert for the first two.
_TYPES = {
    Severity.ESCALATE: NotifyType.FAILURE,
    Severity.DANGEROUS: NotifyType.WARNING,
    Severity.SUSPECT: NotifyType.WARNING,
    Severity.EXPECTED: NotifyType.INFO,
}
# Where the host is a host and not a part of a token.
_HOSTED = {"json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos"}
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::\d+)?")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_SALT = b"investigate.notified"  # always the same: so must the digest be in the next run
_ROUNDS = 100_000
_HINT = "docs/notifications.md has one to start from for each service"


@dataclass(frozen=True, slots=True)
class Target:
    """One apprise URL; its text and its repr hold no secret."""

    name: str
    """What people see: its place in the list, its scheme and, where that is none of the secrets,
    its host."""
    id: str
    """What is remembered of it: a digest that is slow to compute."""
    url: str = field(repr=False)
    service: NotifyBase = field(repr=False)

    def room(self, title: str) -> int:
        """Return how many characters the text beside this title may have."""
        limit, beside = self.service.body_maxlen, self.service.title_maxlen
        # A service without titles gets the title as the first line of the text.
        taken = 0 if beside > 0 else len(title) + len("\r\n")
        return min(LONGEST, limit - taken)

    def send(self, message: Message) -> str:
        """Send a message, once, and return why it did not arrive; empty if it did."""
        parts = {
            "url": self.url,
            "title": message.title,
            "body": message.body,
            "type": _TYPES[message.severity].value,
        }
        said = send_from_process(parts, SECONDS)
        if said is None:
            return ""
        return without_secrets(said, self.url) or f"no answer within {SECONDS} s"


def targets_of(urls: Sequence[str]) -> list[Target]:
    """Return the targets of these URLs; raise `UsageError` for the first that is none."""
    return [_target(place, url.strip()) for place, url in enumerate(urls, 1)]


def masked(url: str) -> str:
    """Return what may be shown of a URL: its scheme and, if it is no part of a token, its host."""
    match = _SCHEME.fullmatch(url)
    if not match:
        return HIDDEN
    scheme, text = match[1].lower(), match[2]
    rest = re.split(r"[/?#]", text, maxsplit=1)[0]
    behind = text[len(rest) :]
    # An "@" behind it: what seems to be the host may be the beginning of a password.
    cut = "@" in behind and (behind.startswith("/") or "@" not in rest)
    hosted = scheme in _HOSTED and not cut
    host = rest.rpartition("@")[2] if hosted else ""
    return f"{scheme}://{host}/***" if _HOST.fullmatch(host) else f"{scheme}://***"


def without_secrets(text: str, url: str) -> str:
    """Return what a service said on one line, without any part of its URL that is not shown."""
    shown = masked(url)
    parts = {part for part in re.split(r"[/:@?&=#,+\s]+", url) if len(part) >= 4}
    parts |= {unquote(part) for part in parts}
    text = _URL.sub(HIDDEN, redact(" ".join(text.split())))
    for part in sorted(parts, key=len, reverse=True):
        if part.lower() not in shown.lower():
            text = re.sub(re.escape(part), HIDDEN, text, flags=re.IGNORECASE)
    return text


def _target(place: int, url: str) -> Target:
    name = f"target {place} ({masked(url)})"
    with _quiet():
        service = Apprise.instantiate(url, asset=asset())
    if service is None:
        known = _SCHEME.fullmatch(url) is not None
        why = "apprise can use no such URL" if known else "it is no URL of the form service://…"
        raise UsageError(f"{name}: {why}", hint=_HINT)
    return Target(name, _digest(url), url, service)


def _digest(url: str) -> str:
    """Return what tells one URL from another and from which no password is soon guessed."""
    return hashlib.pbkdf2_hmac("sha256", url.encode(), _SALT, _ROUNDS, dklen=8).hex()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep apprise's own log, which quotes URLs, from the terminal and from other logs."""
    log = logging.getLogger("apprise")
    nowhere, before = logging.NullHandler(), log.propagate
    log.addHandler(nowhere)
    log.propagate = False
    try:
        yield
    finally:
        log.propagate = before
        log.removeHandler(nowhere)
