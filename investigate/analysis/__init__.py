"""What needs more than one query: replays, aggregates, duplicates, retries."""
