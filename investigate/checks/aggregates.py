"""Checks of the group aggregates."""
