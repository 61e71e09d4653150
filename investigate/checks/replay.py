"""Checks of the group replay."""
