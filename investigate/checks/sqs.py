"""Checks of the group sqs."""
