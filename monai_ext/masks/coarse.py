"""From saliency to a coarse mask: by a level, by Otsu's threshold, by k-means, by a conditional random field."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import mean as means
from skimage.filters import threshold_otsu
from torch import Tensor

from monai_ext.errors import InputError
from monai_ext.masks.components import keep_components, label_components
from monai_ext.masks.crf import DenseCRF


class CoarseMask(ABC):
    """Turns saliency into coarse masks, each image by itself.

    The mask of a constant saliency, which an encoder returns where it finds nothing of the prompt, is empty.
    """

    def __call__(self, saliency: Tensor, image: Tensor) -> Tensor:
        """Coarse masks of a batch.

        Args:
            saliency: (B, 1, H, W) float in [0, 1].
            image: (B, 3, H, W) in [0, 1], the images of the saliency.

        Returns:
            (B, 1, H, W) bool, on the saliency's device; all False where the saliency is constant.

        Raises:
            InputError: when saliency or image holds values that are not finite.
            ValueError: when the shapes do not fit.
        """
        if saliency.shape[1:] != (1, *image.shape[2:]) or len(saliency) != len(image) or image.shape[1] != 3:
            raise ValueError(
                f"saliency of shape {tuple(saliency.shape)} for images of shape {tuple(image.shape)}; "
                "(B, 1, H, W) and (B, 3, H, W) belong together."
            )
        for name, values in (("saliency", saliency), ("image", image)):
            if not values.isfinite().all():
                raise InputError(
                    f"the {name} that is to become a coarse mask holds NaN or infinity; check the image's values."
                )
        masks = torch.zeros(saliency.shape, dtype=torch.bool)
        for mask, one, shown in zip(masks, saliency.float().cpu(), image.float().cpu(), strict=True):
            if one.amin() < one.amax():
                mask[0] = self.mask(one[0], shown)
        return masks.to(saliency.device)

    @abstractmethod
    def mask(self, saliency: Tensor, image: Tensor) -> Tensor:
        """The mask (H, W) bool of one saliency (H, W), which is not constant, and its image (3, H, W), on the CPU."""


class ThresholdMask(CoarseMask):
    """Where the saliency is above a level.

    Args:
        level: in [0, 1).

    Raises:
        InputError: when the level is out of this range.
    """

    def __init__(self, level: float = 0.5) -> None:
        if not 0 <= level < 1:
            raise InputError(f"level is {level}; it lies in [0, 1).")
        self.level = level

    def mask(self, saliency: Tensor, image: Tensor) -> Tensor:
        return saliency > self.level


class OtsuMask(CoarseMask):
    """Where the saliency is above Otsu's threshold, without components of low confidence (MedCLIP-SAMv2).

    The saliency is scaled to [0, 1]. A component's confidence is its mean saliency.

    Args:
        confidence: components of a higher confidence are kept; in [0, 1), 0 keeps all.

    Raises:
        InputError: when the confidence is out of this range.
    """

    def __init__(self, confidence: float = 0.5) -> None:
        if not 0 <= confidence < 1:
            raise InputError(f"confidence is {confidence}; it lies in [0, 1).")
        self.confidence = confidence

    def mask(self, saliency: Tensor, image: Tensor) -> Tensor:
        scaled = (saliency - saliency.amin()) / (saliency.amax() - saliency.amin())
        labels = label_components(scaled > float(threshold_otsu(scaled.numpy())))
        numbers = np.arange(1, labels.max() + 1)
        confident = np.zeros(len(numbers) + 1, dtype=bool)
        confident[1:] = np.asarray(means(scaled.numpy(), labels, numbers)) > self.confidence
        return torch.from_numpy(confident[labels])


class KMeansMask(CoarseMask):
    """The largest components of the more salient of two clusters of pixels, after the code of MedCLIP-SAMv2.

    The saliency is resized with antialiasing, so that no salient region falls between the pixels of the square, and the
    components are chosen there. `as_published` is that code to the pixel instead: nearest neighbours as OpenCV takes
    them both ways, components chosen at the image's size, and those as large as the last one of them kept as well.

    Args:
        components: how many are kept, None for all; two for lungs, one for most targets.
        size: side in pixels of the square that the saliency is resized to and clustered in.
        seed: of the initial centres of the clusters.
        as_published: see above.

    Raises:
        InputError: when a value is out of its range.
    """

    def __init__(
        self, components: int | None = 1, size: int = 256, seed: int = 10, as_published: bool = False
    ) -> None:
        if (components is not None and components < 1) or size < 2 or seed < 0:
            raise InputError(
                f"components {components}, size {size}, seed {seed}: one component (None for all), a size of 2 and "
                "a seed of 0 are the least."
            )
        self.components, self.size, self.seed = components, size, seed
        self.as_published = as_published

    def mask(self, saliency: Tensor, image: Tensor) -> Tensor:
        square = (self.size, self.size)
        if self.as_published:
            mask = _nearest(self._salient(_nearest(saliency.double(), square)), saliency.shape)
            return mask if self.components is None else keep_components(mask, self.components, ties=True)
        small = F.interpolate(
            saliency[None, None], square, mode="bilinear", align_corners=False, antialias=True
        )[0, 0]
        mask = self._salient(small)
        if self.components is not None:
            mask = keep_components(mask, self.components)
        return F.interpolate(mask[None, None].float(), saliency.shape, mode="nearest-exact")[0, 0] > 0

    def _salient(self, small: Tensor) -> Tensor:
        """The more salient of two clusters of the pixels of a saliency (size, size), as a mask."""
        from sklearn.cluster import KMeans  # takes half a second, which only this class needs

        if small.amin() == small.amax():  # the salient region vanishes at this size
            return torch.zeros_like(small, dtype=torch.bool)
        clusters = KMeans(2, n_init=1, random_state=self.seed).fit(small.reshape(-1, 1).numpy())
        higher = int(clusters.cluster_centers_[:, 0].argmax())
        return torch.from_numpy(clusters.labels_ == higher).reshape(small.shape)


def _nearest(values: Tensor, shape: Sequence[int]) -> Tensor:
    """(H, W) values at another size, the neighbours that OpenCV takes; torch rounds some positions otherwise."""
    scales = [1 / (new / old) for old, new in zip(values.shape, shape)]
    rows, columns = (
        (torch.arange(new).double() * scale).long().clamp_max(old - 1)
        for old, new, scale in zip(values.shape, shape, scales)
    )
    return values[rows[:, None], columns]


class CRFMask(CoarseMask):
    """Where the foreground is more probable than the background after inference in a dense CRF.

    Inference starts from the saliency as the probability of the foreground; the mask then follows the image's edges.

    Args:
        crf: one with the settings of MedCLIP-SAMv2 if None; :class:`DenseCRF` also names those of v1.
    """

    def __init__(self, crf: DenseCRF | None = None) -> None:
        self.crf = crf or DenseCRF()

    def mask(self, saliency: Tensor, image: Tensor) -> Tensor:
        probability = saliency.clamp(0, 1).double().numpy()
        return torch.from_numpy(self.crf(probability, image.permute(1, 2, 0).double().numpy()) > 0.5)
