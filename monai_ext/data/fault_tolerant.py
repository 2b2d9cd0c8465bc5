"""A data set in which an unreadable case does not end a run, and finished cases are not done again."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from monai.data import Dataset

from monai_ext.data.records import CaseRecords
from monai_ext.errors import InputError, actionable
from monai_ext.io.case_names import FILE, HASH, NAMES, case_id, input_hash, without_names

FAILED = "failed"
"""Key of the reason why an item could not be loaded."""

FINISHED = "finished"
"""Key of the result rows, as JSON, of an item that an earlier run finished."""

logger = logging.getLogger(__name__)


class FaultTolerantDataset(Dataset):
    """MONAI's Dataset, where an item that raises InputError becomes ``{"case": id, "failed": reason}``.

    An item with a record of the same settings becomes ``{"case": id, "finished": its rows, as JSON}`` and is not
    loaded. :class:`monai_ext.engines.FaultTolerantEvaluator` passes over both and
    :class:`monai_ext.handlers.report.ReportWriter` lists them. Any other error is a fault of the program and is
    raised. Failed and loaded items cannot be collated, so the batch size of the loader is 1.

    Every item gets ``input_sha256``, the hash of its content, for which its files are read before they are loaded.

    Args:
        data: items with the keys ``case`` and ``image`` (a path).
        transform: loads and prepares an item.
        records: of the cases that are finished; None does every case.
        names: "hash" names a case by its content (see :func:`monai_ext.io.case_names.case_id`): no message or record
            then holds the name of a file or folder, which can be that of a patient, and inputs of the same content
            are one case. "file" names a case by the item's own ``case``.
    """

    def __init__(
        self,
        data: Sequence[Any],
        transform: Callable | None = None,
        records: CaseRecords | None = None,
        names: str = HASH,
    ) -> None:
        super().__init__(data, transform)
        if names not in NAMES:
            raise InputError(f"case names {names!r}: choose {' or '.join(NAMES)}.")
        self.records, self.names = records, names

    def _transform(self, index: int) -> Any:
        item = self.data[index]
        case = item["case"] if self.names == FILE else f"unreadable-{index + 1}"
        try:
            digest = input_hash(item["image"])
            if self.names == HASH:
                case = case_id(digest)
            item = {**item, "case": case, "input_sha256": digest}
            rows = self.records.finished(item) if self.records else None
            if rows is not None:
                return {"case": case, FINISHED: json.dumps(rows)}  # a list would not survive collation
            return self.transform(item)
        except Exception as error:
            reason = actionable(error)
            if not isinstance(reason, InputError):
                raise
            message = str(reason)
            if self.names == HASH:
                message = without_names(message, Path(item["image"]), case)
            logger.warning("%s left out: %s", case, message)
            return {"case": case, FAILED: message}
