"""One unreadable case does not end a run, and finished ones are not done again."""

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
"""Key of the reason, in an item that could not be loaded."""

FINISHED = "finished"
"""Key of the rows, as JSON, in an item that an earlier run finished."""

logger = logging.getLogger(__name__)


class FaultTolerantDataset(Dataset):
    """MONAI's Dataset, where an item that raises InputError becomes ``{"case": id, "failed": reason}``.

    An item with a record of the same settings becomes ``{"case": id, "finished": its rows, as JSON}`` and is not
    loaded. :class:`monai_ext.engines.FaultTolerantEvaluator` passes over both and
    :class:`monai_ext.handlers.report.ReportWriter` lists them. Any other error, our fault, is raised. Since
    failed and loaded items cannot be collated, the loader's batch size is 1.

    Every item gets ``input_sha256``, the hash of its content, for which it is read once before it is loaded.

    Args:
        data: items with the keys ``case`` and ``image`` (a path).
        transform: loads and prepares an item.
        records: of finished cases; None does all.
        names: "hash": a case is called by its content (see :func:`monai_ext.io.case_names.case_id`), and no
            message or record holds the name of a file or folder, which can be that of a patient; inputs of the
            same content are one case. "file": by the item's own ``case``.
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
            told = str(reason)
            if self.names == HASH:
                told = without_names(told, Path(item["image"]), case)
            logger.warning("%s left out: %s", case, told)
            return {"case": case, FAILED: told}
