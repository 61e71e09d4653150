"""Secrets in texts that others wrote: those of AWS by their form or by what stands before them, and
of others what has a form of its own and is nothing else: tokens, bearers and private keys."""

from __future__ import annotations

import re

from investigate.secret_patterns import (
    AWS_KEY_ID,
    BEARER,
    BEARER_VALUE,
    GITHUB,
    GITLAB,
    JWT,
    PRIVATE_KEY,
    SLACK,
)

HIDDEN = "***"

# What may stand between a name and its value: in a query, a header, JSON (also within a text of
# JSON), XML, Python or a shell.
_IS = r"""\\*["']?\s*(?:=>|[:=>]|%3D)\s*\\*["']?"""
_NO_NUMBER = r"(?!-?[\d.]+(?:[\s,}\]]|$))"  # a number in JSON, which a text must not replace
_QUERY_VALUE = rf"""{_NO_NUMBER}(?:\\/|[^&\s"'<>\\,;)\]}}]){{8,}}"""
_TOKEN = rf"{_NO_NUMBER}(?:\\/|[A-Za-z0-9+/=_.%-]){{16,}}"

_SECRETS = (
    re.compile(rf"()(?<![A-Za-z0-9]){AWS_KEY_ID}(?![A-Za-z0-9])"),
    # A colon: the canonical request, which AWS quotes when its signature is wrong.
    re.compile(
        rf"(X-Amz-(?:Signature|Security-Token|Credential){_IS}){_QUERY_VALUE}", re.IGNORECASE
    ),
    re.compile(rf"(secret[ _-]?(?:access[ _-]?)?key{_IS}){_TOKEN}", re.IGNORECASE),
    re.compile(rf"((?:session|security)[ _-]?token{_IS}){_TOKEN}", re.IGNORECASE),
    re.compile(r"(\bSignature=)[0-9a-f]{16,}", re.IGNORECASE),
    *(re.compile(rf"(){form}") for form in (GITHUB, GITLAB, SLACK)),
    # Not behind a dash: each of many beginnings in a long text would be looked through to its end.
    re.compile(rf"()(?<![\w-]){JWT}"),
    # With a digit: a message about a bearer is none.
    re.compile(rf"({BEARER})(?=[\w.~+/=-]*\d){BEARER_VALUE}", re.IGNORECASE),
    re.compile(rf"({PRIVATE_KEY})[^-]*(?:-----END [A-Z ]{{0,40}}PRIVATE KEY-----)?"),
)
# Whatever the case of the letters; without any of them there is no secret.
SIGNS = (
    "akia", "asia", "x-amz-", "secret", "token", "signature=", "ghp_", "gho_", "ghs_", "ghu_",
    "ghr_", "github_pat_", "glpat-", "xox", "eyj", "bearer", "private key",
)  # fmt: skip


def may_hold_secrets(text: str) -> bool:
    """Whether a text may hold a secret; no only if it surely holds none."""
    lowered = text.lower()
    return any(sign in lowered for sign in SIGNS)


def redact(text: str) -> str:
    """Return a text without secrets; the same text if it holds none."""
    if not may_hold_secrets(text):
        return text
    for secret in _SECRETS:
        text = secret.sub(rf"\g<1>{HIDDEN}", text)
    return text
