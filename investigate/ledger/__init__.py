"""The ledger: one row per event id, what each station shows of it, and where its story breaks."""

from investigate.ledger.rows import ledger
from investigate.ledger.stations import CELLS, STATIONS

__all__ = ["CELLS", "STATIONS", "ledger"]
