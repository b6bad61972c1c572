"""Which keys a table holds already: an index of hashes in memory, asked before a batch is appended.

Each key costs 12 bytes: a 64-bit hash and the number of the file that holds it. A hash that is not there
proves that the key is new; one that is there is looked up in its file, so two keys of one hash are told
apart.
"""

import threading
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlops_core.warehouse.sql import quoted, warehouse_sql

__all__ = ["KeyIndex"]

_Hashes = NDArray[np.uint64]
_Numbers = NDArray[np.int32]
_FILES_AT_ONCE = 256


class KeyIndex:
    """The keys of one table's files, brought up to date file by file.

    Attributes
    ----------
    lock
        Held by who asks and then appends, so that the threads of this process do not collide.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self.lock = threading.Lock()
        self._columns = tuple(columns)
        self._names = ", ".join(quoted(column) for column in columns)
        self._files: dict[str, int] = {}
        self._runs: list[tuple[_Hashes, _Numbers]] = []

    def __len__(self) -> int:
        return sum(len(hashes) for hashes, _ in self._runs)

    def follow(self, files: Iterable[str]) -> None:
        """Index the files of a table as it stands; when some have gone, all are indexed anew."""
        files = list(files)
        if not self._files.keys() <= set(files):
            self._files, self._runs = {}, []
        new = [file for file in files if file not in self._files]
        for start in range(0, len(new), _FILES_AT_ONCE):
            self._read(new[start : start + _FILES_AT_ONCE])

    def hashes(self, rows: pa.Table) -> _Hashes:
        """Return the hash of each row's key; shape ``(rows,)``."""
        with warehouse_sql() as connection:
            connection.register("asked", rows.select(self._columns))
            found = connection.execute(f"SELECT hash({self._names}) AS h FROM asked")  # noqa: S608
            return np.asarray(found.fetchnumpy()["h"], dtype=np.uint64)

    def add(self, files: Iterable[str], hashes: _Hashes) -> None:
        """Index what was just written by the hashes of its rows: one file, or `follow` reads it."""
        new = [file for file in files if file not in self._files]
        if len(new) == 1:
            number = len(self._files)
            self._files[new[0]] = number
            self._add(np.sort(hashes), np.full(len(hashes), number, dtype=np.int32))

    def known(self, rows: pa.Table, hashes: _Hashes) -> NDArray[np.bool_]:
        """Return for each row, given its hash, whether its key is in an indexed file; shape ``(rows,)``."""
        answer = np.zeros(rows.num_rows, dtype=bool)
        suspects: list[NDArray[np.int64]] = []
        holders: set[int] = set()
        for held, numbers in self._runs:
            first = np.searchsorted(held, hashes)
            met = np.flatnonzero(held[np.minimum(first, len(held) - 1)] == hashes)
            suspects.append(met)
            last = np.searchsorted(held, hashes[met], side="right")
            for start, end in zip(first[met].tolist(), last.tolist(), strict=True):
                holders.update(numbers[start:end].tolist())
        if holders:
            files = [file for file, number in self._files.items() if number in holders]
            answer[self._confirmed(rows, np.unique(np.concatenate(suspects)), files)] = True
        return answer

    def _confirmed(
        self, rows: pa.Table, suspects: NDArray[np.int64], files: Sequence[str]
    ) -> NDArray[np.int64]:
        """Return those of some rows whose key itself, and not its hash alone, is in some files."""
        asked = rows.select(self._columns).take(suspects)
        same = " AND ".join(
            f"a.{quoted(column)} IS NOT DISTINCT FROM f.{quoted(column)}" for column in self._columns
        )
        query = f"""
SELECT a.row FROM asked AS a SEMI JOIN (
    SELECT {self._names} FROM read_parquet($files, union_by_name = true)
) AS f ON {same}
"""  # noqa: S608 - the names are quoted
        with warehouse_sql() as connection:
            connection.register("asked", asked.append_column("row", pa.array(suspects)))
            found = connection.execute(query, {"files": list(files)}).fetchnumpy()["row"]
        return np.asarray(found, dtype=np.int64)

    def _read(self, files: list[str]) -> None:
        query = f"""
SELECT hash({self._names}) AS h, list_position($files, filename) AS file
FROM read_parquet($files, filename = true, union_by_name = true)
ORDER BY h
"""  # noqa: S608 - the names are quoted
        with warehouse_sql() as connection:
            found = connection.execute(query, {"files": files}).fetchnumpy()
        base = len(self._files)
        hashes = np.asarray(found["h"], dtype=np.uint64)
        self._add(hashes, np.asarray(found["file"], dtype=np.int32) + np.int32(base - 1))
        self._files.update({file: base + place for place, file in enumerate(files)})

    def _add(self, hashes: _Hashes, numbers: _Numbers) -> None:
        """Keep the runs few: each is at least twice as long as the next."""
        if not len(hashes):
            return
        while self._runs and len(self._runs[-1][0]) < 2 * len(hashes):
            earlier, earlier_numbers = self._runs.pop()
            hashes = np.concatenate([earlier, hashes])
            numbers = np.concatenate([earlier_numbers, numbers])
            order = np.argsort(hashes, kind="stable")
            hashes, numbers = hashes[order], numbers[order]
        self._runs.append((hashes, numbers))
