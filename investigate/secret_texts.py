"""Texts that look like secrets: reports are shared, so what is asked must never be one."""

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

# Few and certain: an entity may have any id, and one that is refused cannot be asked about. Ids of
# events have 64 digits, and keys of objects have dots and dashes: neither looks like one of these.
_SECRETS = {
    "an AWS access key id": re.compile(rf"(?<![A-Z0-9]){AWS_KEY_ID}(?![A-Z0-9])"),
    "an AWS session token": re.compile(r"(IQoJ|FwoG|FQoG)[A-Za-z0-9/+=]{96,}"),
    "a private key": re.compile(PRIVATE_KEY),
    "a URL with a password": re.compile(r"://[^/@\s:]*:[^/@\s]+@"),
    "a signed URL": re.compile(
        r"[?&](X-Amz-Signature|X-Amz-Security-Token|Signature|sig)=", re.IGNORECASE
    ),
    "a GitHub token": re.compile(GITHUB),
    "a GitLab token": re.compile(GITLAB),
    "a Slack token": re.compile(SLACK),
    "a JSON web token": re.compile(rf"\b{JWT}"),
    "a bearer token": re.compile(BEARER + BEARER_VALUE, re.IGNORECASE),
    "a named secret": re.compile(
        r"(secret|token|password)\w*[\"']?\s*=\s*[\"']?[^\s\"']", re.IGNORECASE
    ),
}
# Only as the whole text, because the key of an object holds such a piece by chance. Four in ten
# secret keys have neither of / and +, so capitals, small letters and digits are enough.
_SECRET_KEY = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9/+]{40}")
_AROUND = " \t\r\n\"'`"  # comes along when a key is copied


def secret_in(text: str) -> str:
    """Return what kind of secret a text seems to hold, as "an AWS secret key"; empty for none."""
    if _SECRET_KEY.fullmatch(text.strip(_AROUND)):
        return "an AWS secret key"
    return next((kind for kind, pattern in _SECRETS.items() if pattern.search(text)), "")
