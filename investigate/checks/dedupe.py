"""Checks of the group dedupe."""
