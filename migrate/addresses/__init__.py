"""Static addresses: the inventory, every use of one, what kind of use it is, and the text after rewriting."""

from migrate.addresses.inventory import take_inventory
from migrate.addresses.rewrite import rewrite

__all__ = ["rewrite", "take_inventory"]
