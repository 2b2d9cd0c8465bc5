"""One unreadable case does not end a run, and finished ones are not done again."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from monai.data import Dataset

from monai_ext.data.records import CaseRecords
from monai_ext.errors import InputError, actionable

FAILED = "failed"
"""Key of the reason, in an item that could not be loaded."""

FINISHED = "finished"
"""Key of the rows, as JSON, in an item that an earlier run finished."""

logger = logging.getLogger(__name__)


class IsolatingDataset(Dataset):
    """MONAI's Dataset, where an item that raises InputError becomes ``{"case": id, "failed": reason}``.

    An item with a record of the same settings becomes ``{"case": id, "finished": its rows, as JSON}`` and is not
    loaded. :class:`monai_ext.engines.PromptedEvaluator` passes over both and
    :class:`monai_ext.handlers.report.ReportWriter` lists them. Any other error, our fault, is raised. Since
    failed and loaded items cannot be collated, the loader's batch size is 1.

    Args:
        data: items with the key ``case``.
        transform: loads and prepares an item.
        records: of finished cases; None does all.
    """

    def __init__(
        self, data: Sequence[Any], transform: Callable | None = None, records: CaseRecords | None = None
    ) -> None:
        super().__init__(data, transform)
        self.records = records

    def _transform(self, index: int) -> Any:
        item = self.data[index]
        rows = self.records.finished(item) if self.records else None
        if rows is not None:
            return {"case": item["case"], FINISHED: json.dumps(rows)}  # a list would not survive collation
        try:
            return super()._transform(index)
        except Exception as error:
            reason = actionable(error)
            if not isinstance(reason, InputError):
                raise
            case = item["case"]
            logger.warning("%s left out: %s", case, reason)
            return {"case": case, FAILED: str(reason)}
