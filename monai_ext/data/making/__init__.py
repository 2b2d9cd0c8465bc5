"""Data sets of this package's format from files of one's own: find, survey, write.

One module for each kind of source, which gives a :class:`Source`; :func:`find_source` chooses among them.
"""

from monai_ext.data.making.choose import find_source
from monai_ext.data.making.found import Found, Mask, Source
from monai_ext.data.making.plan import Plan, Wishes, plan_set
from monai_ext.data.making.targets import read_target_options
from monai_ext.data.making.write import write_set

__all__ = [
    "Found",
    "Mask",
    "Plan",
    "Source",
    "Wishes",
    "find_source",
    "plan_set",
    "read_target_options",
    "write_set",
]
