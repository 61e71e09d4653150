"""Where a resource is: two pipelines of one template have the same names, and differ only in this.

Source of the forms: "Amazon Resource Names" of the IAM guide, and the queue URLs of the Amazon SQS
guide ("Queue and message identifiers").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from investigate.recovery.rules import refused

# An emulator puts a word of its own there, and a masked case no account; neither can be compared.
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")
_ACCOUNT = re.compile(r"(?!0{12})\d{12}")


@dataclass(frozen=True, slots=True)
class RegionAndAccount:
    """A region and an account; None is what is not known."""

    region: str | None = None
    account: str | None = None

    def refuse_other(self, found: RegionAndAccount, what: str) -> None:
        """Raise `RecoveryRefused` (other-place) if something was found in another place; what one
        of the two does not tell is not compared."""
        for name in ("region", "account"):
            ours, theirs = getattr(self, name), getattr(found, name)
            if ours and theirs and ours != theirs:
                raise refused("other-place", what=what, part=name, theirs=theirs, ours=ours)

    def or_else(self, other: RegionAndAccount) -> RegionAndAccount:
        """Return this place, with what it does not know from another."""
        return RegionAndAccount(self.region or other.region, self.account or other.account)


def region_and_account_of(reference: str) -> RegionAndAccount:
    """Return the place that an ARN or a queue's URL tells; a bare name tells none."""
    if reference.startswith("arn:"):
        parts = [*reference.split(":"), "", "", "", "", ""]
        return RegionAndAccount(_known(_REGION, parts[3]), _known(_ACCOUNT, parts[4]))
    if "/" not in reference:
        return RegionAndAccount()
    url = urlsplit(reference)
    words = [word for word in (url.hostname or "").split(".") if _REGION.fullmatch(word)]
    account = url.path.rstrip("/").split("/")[-2:-1]
    return RegionAndAccount(
        words[0] if words else None, _known(_ACCOUNT, account[0] if account else "")
    )


def region_and_account(region: str | None, account: str | None) -> RegionAndAccount:
    """Return the place of these two words, of which a masked account is not known."""
    return RegionAndAccount(region or None, _known(_ACCOUNT, account or ""))


def _known(pattern: re.Pattern[str], text: str) -> str | None:
    return text if pattern.fullmatch(text) else None
