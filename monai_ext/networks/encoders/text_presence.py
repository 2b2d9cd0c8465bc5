"""Whether an image shows at all what a text names, by how similar a vision-language encoder finds the two."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from monai_ext.errors import InputError
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder

NOTHING_LOGIT = -30.0  # of presence where there is nothing to compare with the text


class TextPresence:
    """Presence from the margin of a similarity over that to the nearest of other texts.

    The logit is ``scale * (margin - offset)``; the margin is the cosine of the image (or of the part of it that was
    chosen) and the text, less the highest cosine with one of the `contrast` texts. A contrast text that means the same
    as the prompt, by a cosine of at least `alike` between the two, is left out. Without any contrast text the margin
    is the cosine itself. :mod:`monai_ext.studies.calibrate` fits the two numbers.

    Args:
        contrast: texts of other things.
        alike: cosine from which on a contrast text means the same as a prompt.
        scale: above 0.
        offset: margin at which presence is one half.

    Raises:
        InputError: when the scale is not above 0.
    """

    def __init__(
        self, contrast: Sequence[str] = (), alike: float = 0.9, scale: float = 20.0, offset: float = 0.0
    ) -> None:
        if scale <= 0:
            raise InputError(f"presence: scale is {scale}; it lies above 0.")
        self.contrast, self.alike = tuple(contrast), alike
        self.scale, self.offset = scale, offset

    def __call__(self, encoder: VisionLanguageEncoder, vector: Tensor | None, text: Tensor) -> Tensor:
        """() logit.

        Args:
            encoder: that gave both vectors; embeds the contrast texts, once.
            vector: (D,) unit vector of what is seen; None where there is nothing, whose logit is -30.
            text: (D,) unit vector of the prompt.
        """
        if vector is None:
            return text.new_tensor(NOTHING_LOGIT)
        margin = cosines(vector[None], text)[0]
        if self.contrast:
            others = encoder.encode_text(self.contrast)
            others = others[cosines(others, text) < self.alike]
            if len(others):
                margin = margin - cosines(others, vector).max()
        return self.scale * (margin - self.offset)


def cosines(vectors: Tensor, other: Tensor) -> Tensor:
    """(K,) of (K, D) and (D,) unit vectors; as a sum, which autocast leaves in float32."""
    return (vectors * other).sum(-1)
