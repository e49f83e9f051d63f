"""The C library's allocator, told to keep the memory that hashing uses."""

import ctypes
import sys
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_MMAP_MAX: Final = -4
# glibc's own ceiling for the threshold: half of a thread heap of 64 MiB.
_MAX_THRESHOLD: Final = 32 * 1024 * 1024


def tune_allocator(memory_kib: int = 19456) -> bool:
    """Have blocks of `memory_kib` reused rather than mapped, zeroed by the kernel and unmapped at each hash.

    Holds for the process and costs it one such block a hash thread. Returns whether the C library took it; only glibc
    does.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    block = memory_kib * 1024
    fits = block < _MAX_THRESHOLD - 65536
    kept = mallopt(_M_MMAP_THRESHOLD, _MAX_THRESHOLD) if fits else mallopt(_M_MMAP_MAX, 0)
    return bool(kept and mallopt(_M_TRIM_THRESHOLD, max(2 * block, _MAX_THRESHOLD)))
