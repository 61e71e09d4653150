"""What CloudWatch Logs says of one log group."""

from __future__ import annotations

from typing import Any

from investigate.aws import Connection


def described(connection: Connection, group: str) -> dict[str, Any] | None:
    """Return what is known of the log group of exactly that name; None if there is no such group.

    Raises `AccessError`.
    """
    pages = connection.pages("logs", "DescribeLogGroups", logGroupNamePrefix=group)
    found = [one for page in pages for one in page["logGroups"] if one["logGroupName"] == group]
    return found[0] if found else None
