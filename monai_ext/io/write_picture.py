"""Write one picture as PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from monai_ext.files import whole_file


def write_picture(path: Path, array: np.ndarray) -> None:
    """Write (H, W) or (H, W, 3) uint8 as PNG, row 0 on top."""
    with whole_file(path) as temporary:
        Image.fromarray(np.ascontiguousarray(array, dtype=np.uint8)).save(temporary)
