"""From points, saliency or whole images to candidate masks, and how these are shown."""

from monai_ext.masks.generator import Candidates, MaskGenerator
from monai_ext.masks.views import MaskViews

__all__ = ["Candidates", "MaskGenerator", "MaskViews"]
