"""What libraries warn and log is kept from the user: it quotes the values of tags, which can name a patient."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def suppress_logs(*libraries: str) -> Iterator[None]:
    """No warnings and no log lines while what follows runs.

    Args:
        libraries: names of loggers that are silenced with those below them; all, if none is given.
    """
    loggers = [logging.getLogger(library) for library in libraries]
    levels, disabled = [logger.level for logger in loggers], logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if not libraries:
                logging.disable(logging.CRITICAL)
            for logger in loggers:
                logger.setLevel(logging.CRITICAL + 1)
            yield
        finally:
            logging.disable(disabled)
            for logger, level in zip(loggers, levels):
                logger.setLevel(level)
