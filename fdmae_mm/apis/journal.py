"""Results of a long run as they come, so that an interrupted one can go on."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import joblib
from mmengine.logging import print_log

from ..files import naming


class Journal:
    """A file with a line of JSON for each result, which outlives an interruption.

    A result is found by what it was made of, and not by a place: an input that was
    added or changed since is not known, and one that was moved is.

    Args:
        path (str | os.PathLike): The file. It is made with the first result, which
            replaces a file of other settings.
        settings (object): All that results depend on beside their inputs: numbers,
            text, arrays, and lists and dicts of these.
    """

    def __init__(self, path: str | os.PathLike, settings: object) -> None:
        self._path = Path(path)
        self._head = json.dumps(dict(settings=joblib.hash(settings))).encode() + b'\n'
        self._known, self._end = self._read()
        if self._known:
            print_log(
                f'{path} holds {len(self._known)} results of a run that was '
                'interrupted: this one goes on.',
                logger='current',
                level=logging.INFO,
            )

    def _read(self) -> tuple[dict[str, dict], int]:
        """Results by their keys, and where the last good line ends."""
        known, end = {}, 0
        if not self._path.is_file():
            return known, end
        with self._path.open('rb') as file:
            if file.readline() != self._head:
                return known, end
            end = file.tell()
            for line in file:
                # A kill or a full disk may have cut the last one.
                if not line.endswith(b'\n'):
                    break
                entry = json.loads(line)
                known[entry['key']] = entry['result']
                end += len(line)
        return known, end

    @staticmethod
    def key(content: Mapping[str, object]) -> str:
        """What an input is known by, a digest of its arrays, numbers and text."""
        return joblib.hash(dict(content), coerce_mmap=True)

    def get(self, key: str) -> dict | None:
        """The result of an input, None where it is not known."""
        return self._known.get(key)

    def add(self, results: Mapping[str, dict]) -> None:
        """Writes results by the keys of their inputs."""
        lines = [
            json.dumps(dict(key=key, result=result)).encode() + b'\n'
            for key, result in results.items()
        ]
        with naming(self._path), self._path.open('r+b' if self._end else 'wb') as file:
            file.seek(self._end)
            file.truncate()
            file.writelines(lines if self._end else [self._head, *lines])
            self._end = file.tell()

    def remove(self) -> None:
        """Removes the file, as its results are where they belong."""
        self._path.unlink(missing_ok=True)
