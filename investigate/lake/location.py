"""What reads in a worker: the bucket of a case's lake, through the one door, or its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from investigate.aws import Connection, connect
from investigate.case import Case
from investigate.in_place import InPlace

PATIENCE_SECONDS = 300.0  # a request is tried again for so long, as in a capture


@dataclass(frozen=True, slots=True)
class LakeLocation:
    """A bucket, with its region, or a folder: what a worker has to know to read there.

    Credentials are no part of it: each worker has its own, from its environment or its role.
    """

    bucket: str
    folder: Path
    region: str | None

    @classmethod
    def of(cls, case: Case, known: InPlace) -> LakeLocation:
        """Return where a table of a case is."""
        region = case.pipeline.get("region")
        return cls(known.bucket, Path(known.folder), str(region) if region else None)

    def connection(self) -> Connection:
        """Return a read-only connection with the credentials of this worker."""
        return connect(region=self.region, patience=PATIENCE_SECONDS)
