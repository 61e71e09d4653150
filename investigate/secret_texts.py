"""Texts that look like secrets: reports are shared, so what is asked must never be one."""

from __future__ import annotations

import re

# Few and certain: an entity may have any id, and one that is refused cannot be asked about.
_SECRETS = {
    "an AWS access key id": re.compile(r"(?<![A-Z0-9])(AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"),
    "an AWS secret key": re.compile(
        # 40 letters of base64 and nothing else, one of them none that an id or a name would have.
        r"(?=.*[/+])(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9/+]{40}"
    ),
    "an AWS session token": re.compile(r"(IQoJ|FwoG|FQoG)[A-Za-z0-9/+=]{96,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a URL with a password": re.compile(r"://[^/@\s:]*:[^/@\s]+@"),
    "a signed URL": re.compile(r"[?&](X-Amz-Signature|Signature|sig)=", re.IGNORECASE),
}
_WHOLE = {"an AWS secret key"}  # a path holds such a piece by chance


def secret_in(text: str) -> str:
    """Return what kind of secret a text seems to hold, as "an AWS secret key"; empty for none."""
    for kind, pattern in _SECRETS.items():
        if pattern.fullmatch(text) if kind in _WHOLE else pattern.search(text):
            return kind
    return ""
