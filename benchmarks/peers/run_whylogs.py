"""whylogs: a profile of each half, summarised; the two are not compared."""

import sys

import whylogs
from peer import frames, measure

first, second = frames(sys.argv[1], text="object")


def drift() -> object:
    """Profile both halves."""
    return [whylogs.log(pandas=frame).view().to_pandas() for frame in (first, second)]


measure(drift)
