"""From points, saliency or whole images to candidate masks."""

from monai_ext.masks.generator import Candidates, MaskGenerator

__all__ = ["Candidates", "MaskGenerator"]
