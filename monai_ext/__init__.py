"""Text-prompted segmentation of medical images as MONAI bundles.

Importing this package imports nothing heavy; torch and monai load on first use.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monai_ext.bundle.api import Segmenter

__version__ = "0.1.0"

# mlflow, where it is installed, tells its makers of its use unless it is told not to before it is imported
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def load(name: str, **kwargs: Any) -> Segmenter:
    """Load a bundle by name or folder for use from Python; see :func:`monai_ext.bundle.api.load`."""
    from monai_ext.bundle.api import load as load_bundle

    return load_bundle(name, **kwargs)
