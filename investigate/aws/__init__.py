"""The only door to AWS: clients that refuse all but a list of reads; errors in words."""

from investigate.aws.connection import Connection, connect
from investigate.aws.items import Item, Items
from investigate.aws.meter import Meter, RequestLimits
from investigate.aws.objects import Body, Listed, Objects
from investigate.aws.operations import READ_ONLY, SIDE_EFFECTS, action_of, allowed_operations

__all__ = [
    "READ_ONLY",
    "SIDE_EFFECTS",
    "Body",
    "Connection",
    "Item",
    "Items",
    "Listed",
    "Meter",
    "Objects",
    "RequestLimits",
    "action_of",
    "allowed_operations",
    "connect",
]
