"""How badly an endpoint behaves, as a matter of chance that comes out the same every time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from typing import Any

from investigate.aws import action_of
from investigate.errors import UsageError
from investigate.sandbox.refusals import Refusal, denial, refusal_forms_of

# What can befall a request. A dropped one gets no answer, a broken one half of it; a truncated
# answer looks whole, but lacks its end. One that hangs is not answered while anybody waits; an
# emptied answer has a good status and no content, a misshapen one the page of somebody else, an
# unrelated one is well-formed and of another question, and a swollen one has as much blank space
# behind it as JSON and XML allow: any amount.
CHANCES = (
    "throttled", "failed", "dropped", "broken", "truncated", "slow", "hung", "emptied",
    "misshapen", "unrelated", "swollen",
)  # fmt: skip
# What tells one request from another; signatures, dates and retry counts do not.
_TELLING = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "HTTP_X_AMZ_TARGET", "HTTP_RANGE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """The shares of requests that something befalls, and what is refused to all.

    `denied` holds IAM actions such as `s3:ListBucket`; the credentials expire after so many
    requests as `expires_after` says. `only` holds what the shares are of: services such as `s3`, or
    operations such as `s3:GetObject`; none: every request.
    """

    seed: int = 7
    throttled: float = 0.0
    failed: float = 0.0
    dropped: float = 0.0
    broken: float = 0.0
    truncated: float = 0.0
    slow: float = 0.0
    hung: float = 0.0
    emptied: float = 0.0
    misshapen: float = 0.0
    unrelated: float = 0.0
    swollen: float = 0.0
    seconds: float = 0.2  # how long a slow answer takes
    only: frozenset[str] = field(default_factory=frozenset)
    denied: frozenset[str] = field(default_factory=frozenset)
    expires_after: int | None = None

    def __post_init__(self) -> None:
        shares = {chance: getattr(self, chance) for chance in CHANCES}
        wrong = [chance for chance, share in shares.items() if not 0 <= share <= 1]
        if wrong or sum(shares.values()) > 1:
            told = ", ".join(f"{chance} {share:g}" for chance, share in shares.items() if share)
            raise UsageError(
                f"the shares of requests do not add up: {told}",
                hint="give each as a number from 0 to 1, together no more than 1",
            )
        for action in self.denied:
            if not re.fullmatch(r"[a-z0-9-]+:[A-Za-z0-9]+", action):
                raise UsageError(f"{action!r} is no IAM action", hint="write it as s3:ListBucket")

    def reaches(self, service: str, operation: str) -> bool:
        """Return whether the shares are of such requests, too."""
        return not self.only or not self.only.isdisjoint({service, f"{service}:{operation}"})

    def befalls(self, draw: float) -> str | None:
        """Return what befalls a request that drew a number from 0 to 1, if anything does."""
        reached = 0.0
        for chance in CHANCES:
            reached += getattr(self, chance)
            if draw < reached:
                return chance
        return None


CALM = Weather()


@dataclass(frozen=True, slots=True)
class RequestFate:
    """What befalls one request: nothing, a refusal, or a fate of its connection or answer."""

    fate: str | None = None
    refusal: Refusal | None = None


class Forecast:
    """What befalls each request under one weather.

    The same request in its n-th attempt always fares the same, whichever thread sends it when.
    """

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self._attempts: Counter[str] = Counter()
        self._seen = 0
        self._lock = Lock()

    def fate(
        self, service: str, operation: str, environ: Mapping[str, Any], body: bytes
    ) -> RequestFate:
        """Return what befalls a request; asking counts as an attempt."""
        content = _content(environ, body)
        with self._lock:
            self._seen += 1
            self._attempts[content] += 1
            seen, attempt = self._seen, self._attempts[content]
        weather, manners = self.weather, refusal_forms_of(service)
        if weather.expires_after is not None and seen > weather.expires_after:
            return RequestFate("expired", manners.expired)
        action = action_asked(service, operation, environ)
        if action in weather.denied:
            return RequestFate("denied", denial(service, action))
        if not weather.reaches(service, operation):
            return RequestFate()
        return self._chance(service, f"{weather.seed} {attempt} {content}")

    def _chance(self, service: str, ticket: str) -> RequestFate:
        drawn = int.from_bytes(sha256(ticket.encode()).digest()[:8], "big")
        fate = self.weather.befalls(drawn / 2**64)
        if fate not in ("throttled", "failed"):
            return RequestFate(fate)
        manners = refusal_forms_of(service)
        ways = manners.throttled if fate == "throttled" else manners.failed
        return RequestFate(fate, ways[drawn % len(ways)])

    def hides_missing_keys(self, service: str, operation: str) -> Refusal | None:
        """Return what S3 says instead of 404 to one who may not list: who may not know may not
        tell a missing key from a forbidden one."""
        asked = (service, operation) in (("s3", "GetObject"), ("s3", "HeadObject"))
        if asked and "s3:ListBucket" in self.weather.denied:
            return denial("s3", "s3:ListBucket")
        return None


def action_asked(service: str, operation: str, environ: Mapping[str, Any]) -> str:
    """Return the IAM action that a request needs; old versions of an object need their own."""
    versioned = "versionId=" in environ.get("QUERY_STRING", "")
    if service == "s3" and versioned and operation in ("GetObject", "HeadObject"):
        return "s3:GetObjectVersion"
    if service == "s3" and operation == "HeadObject":
        return "s3:GetObject"
    return action_of(service, operation)


def _content(environ: Mapping[str, Any], body: bytes) -> str:
    told = [str(environ.get(name, "")) for name in _TELLING]
    return sha256("\n".join(told).encode() + body).hexdigest()
