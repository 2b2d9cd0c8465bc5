"""Read files without what libraries warn and log of them: it quotes the values of tags, which can name a patient."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(*libraries: str) -> Iterator[None]:
    """No warnings, and no log lines of these libraries and their parts, while what follows runs."""
    logs = [logging.getLogger(library) for library in libraries]
    before = [log.level for log in logs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for log in logs:
            log.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for log, level in zip(logs, before):
                log.setLevel(level)
