"""Mutation of the diagnosis: every condition of a check inverted or dropped, one at a time."""
