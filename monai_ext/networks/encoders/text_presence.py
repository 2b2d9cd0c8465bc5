"""The presence of what a text names in an image, from similarities of a vision-language encoder."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from monai_ext.errors import InputError
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import MODALITIES

ABSENT_LOGIT = -30.0  # of presence where an image has nothing to compare with the text


class TextPresence:
    """Presence from the margin by which an image is more similar to its prompt than to other texts.

    The logit is ``scale * (margin - offset)``. The margin is the cosine of the image (or of the region that was chosen
    in it) and the prompt, less the highest cosine with one of the `contrast` texts. A contrast text whose cosine with
    the prompt is at least `alike` means the same and is left out. Without contrast texts the margin is the cosine
    itself. :mod:`monai_ext.studies.calibrate` fits scale and offset.

    Args:
        contrast: texts that name other things.
        alike: cosine from which on a contrast text means the same as a prompt.
        scale: of the logit, above 0.
        offset: margin at which the probability of presence is one half.

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
        """The logit of presence, a scalar.

        Args:
            encoder: that made both vectors; it embeds the contrast texts and caches them.
            vector: (D,) unit vector of the image or region; None where there is none, whose logit is -30.
            text: (D,) unit vector of the prompt.
        """
        if vector is None:
            return text.new_tensor(ABSENT_LOGIT)
        margin = cosines(vector[None], text)[0]
        if self.contrast:
            others = encoder.encode_text(self.contrast)
            others = others[cosines(others, text) < self.alike]
            if len(others):
                margin = margin - cosines(others, vector).max()
        return self.scale * (margin - self.offset)


def contrast_texts(background: Sequence[str] = (), compare: str = "masked_images") -> list[str]:
    """The texts that a prompt is contrasted with: all canonical sentences of the package, and `background`.

    Args:
        background: texts of what is none of the targets.
        compare: of :class:`monai_ext.networks.clip_sam.ClipSAM`. With "patch_tokens" presence is the plain similarity
            of the whole image, and there are no texts.
    """
    if compare == "patch_tokens":
        return []
    library = PromptLibrary.load()
    sentences = [library.canonical(target, one) for one in MODALITIES for target in library.targets(one)]
    return [*sentences, *background]


def cosines(vectors: Tensor, other: Tensor) -> Tensor:
    """(K,) cosines of (K, D) and (D,) unit vectors; a sum, since autocast would round a matrix product."""
    return (vectors * other).sum(-1)
