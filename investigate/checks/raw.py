"""Checks of the group raw."""
