"""Checks of the group processor."""
