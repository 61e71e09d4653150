"""Parsers against what nobody meant them to read: targets, hostile inputs, and the runs."""
