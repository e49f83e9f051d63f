"""The stubs of the contract: a module for each way in which a client's come about."""

from pathlib import PurePosixPath

Fresh = dict[PurePosixPath, bytes | None]
"""What files of the tree must hold, by their paths in it; None where there must be no such file."""
