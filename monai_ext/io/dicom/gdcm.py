"""A program of its own, run by pixels.py: decode FOLDER/*.dcm by the GDCM of SimpleITK into FOLDER/*.npy.

GDCM ends the process at some damaged files, and of others only prints on stderr that the picture it gives is
damaged. So the name of each file is printed there before it is decoded. The program imports nothing of monai_ext:
it is run by its path.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np


def decode(folder: Path) -> None:
    """Write the stored values of each file, (frames, rows, columns) float32, beside it."""
    import SimpleITK as sitk

    for file in sorted(folder.glob("*.dcm")):
        os.write(2, f"\n{file.name}\n".encode())
        image = sitk.ReadImage(str(file), sitk.sitkFloat32, "GDCMImageIO")
        np.save(file.with_suffix(".npy"), sitk.GetArrayViewFromImage(image))


if __name__ == "__main__":
    decode(Path(sys.argv[1]))
