"""Argon2id alone: as many threads as this process may use cores, verifying one hash over and over.

`python -m tests.load.bench.raw_hash SECONDS MEMORY_KIB TIME_COST` prints hashes, seconds and processor seconds as JSON.
"""

import json
import os
import sys
import threading
import time

from twofold_server.crypto.allocator import tune_allocator
from twofold_server.crypto.passwords import HashParameters, check_hash, make_hash, parse_stored

_PASSWORD = "correct horse battery 9"


def main() -> None:
    """Hash for the given time, and print what came of it."""
    seconds, parameters = float(sys.argv[1]), HashParameters(int(sys.argv[2]), int(sys.argv[3]))
    tune_allocator(parameters.memory_kib)
    stored = parse_stored(make_hash(_PASSWORD, parameters))
    counts: list[int] = []
    began, began_cpu = time.monotonic(), time.process_time()

    def verify() -> None:
        count = 0
        while time.monotonic() - began < seconds:
            assert check_hash(stored, _PASSWORD)
            count += 1
        counts.append(count)

    threads = [threading.Thread(target=verify) for _ in os.sched_getaffinity(0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken, taken_cpu = time.monotonic() - began, time.process_time() - began_cpu
    print(json.dumps({"hashes": sum(counts), "seconds": taken, "cpu_seconds": taken_cpu}))


if __name__ == "__main__":
    main()
