"""The forms of secrets that are nothing else, as regular expressions: what redacts a text and what
refuses one both look for these."""

from __future__ import annotations

# Sources: the documentation of AWS (unique ID prefixes), GitHub, GitLab and Slack (formats of their
# tokens), RFC 7515 (a JSON web token) and RFC 6750 (a bearer).
AWS_KEY_ID = r"(?:AKIA|ASIA)[A-Z0-9]{16}"
GITHUB = r"\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"
GITLAB = r"\bglpat-[\w-]{20,}"
SLACK = r"\bxox[a-z]-[\w-]{10,}"
JWT = r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"  # what may stand before it is for each to say
BEARER, BEARER_VALUE = r"\bBearer\s+", r"[\w.~+/=-]{16,}"
PRIVATE_KEY = r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"
