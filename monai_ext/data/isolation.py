"""One unreadable case does not end a run: its reason takes the place of its image."""

from __future__ import annotations

import logging
from typing import Any

from monai.data import Dataset

from monai_ext.errors import InputError, actionable

FAILED = "failed"
"""Key of the reason, in an item that could not be loaded."""

logger = logging.getLogger(__name__)


class IsolatingDataset(Dataset):
    """MONAI's Dataset, where an item that raises InputError becomes ``{"case": id, "failed": reason}``.

    :class:`monai_ext.engines.CaseEvaluator` passes over such items and
    :class:`monai_ext.handlers.report.ReportWriter` lists them. Any other error, our fault, is raised. Since
    failed and loaded items cannot be collated, the loader's batch size is 1.

    Args:
        data: items with the key ``case``.
        transform: loads and prepares an item.
    """

    def _transform(self, index: int) -> Any:
        try:
            return super()._transform(index)
        except Exception as error:
            reason = actionable(error)
            if not isinstance(reason, InputError):
                raise
            case = self.data[index]["case"]
            logger.warning("%s left out: %s", case, reason)
            return {"case": case, FAILED: str(reason)}
