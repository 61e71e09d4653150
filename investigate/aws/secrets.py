"""Secrets of AWS in texts that others wrote: found by their form or by what stands before them."""

from __future__ import annotations

import re

_HIDDEN = "***"

# What may stand between a name and its value: in a query, a header, JSON (also within a text of
# JSON), XML, Python or a shell.
_IS = r"""\\*["']?\s*(?:=>|[:=>]|%3D)\s*\\*["']?"""
_NO_NUMBER = r"(?!-?[\d.]+(?:[\s,}\]]|$))"  # a number in JSON, which a text must not replace
_QUERY_VALUE = rf"""{_NO_NUMBER}(?:\\/|[^&\s"'<>\\,;)\]}}]){{8,}}"""
_TOKEN = rf"{_NO_NUMBER}(?:\\/|[A-Za-z0-9+/=_.%-]){{16,}}"

_SECRETS = (
    re.compile(r"()(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
    # A colon: the canonical request, which AWS quotes when its signature is wrong.
    re.compile(
        rf"(X-Amz-(?:Signature|Security-Token|Credential){_IS}){_QUERY_VALUE}", re.IGNORECASE
    ),
    re.compile(rf"(secret[ _-]?(?:access[ _-]?)?key{_IS}){_TOKEN}", re.IGNORECASE),
    re.compile(rf"((?:session|security)[ _-]?token{_IS}){_TOKEN}", re.IGNORECASE),
    re.compile(r"(\bSignature=)[0-9a-f]{16,}", re.IGNORECASE),
)
# Whatever the case of the letters; without any of them there is no secret.
SIGNS = ("akia", "asia", "x-amz-", "secret", "token", "signature=")


def may_hold_secrets(text: str) -> bool:
    """Whether a text may hold a secret; no only if it surely holds none."""
    lowered = text.lower()
    return any(sign in lowered for sign in SIGNS)


def redact(text: str) -> str:
    """Return a text without secrets of AWS; the same text if it holds none."""
    if not may_hold_secrets(text):
        return text
    for secret in _SECRETS:
        text = secret.sub(rf"\g<1>{_HIDDEN}", text)
    return text
