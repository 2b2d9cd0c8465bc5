"""The lexicon of the embedded weights."""

from monai_ext.prompts.lexicon import Lexicon
from monai_ext.weights.registry import registered

TARGETS = registered("vlsm").targets
LEXICON = Lexicon((), {modality: dict.fromkeys(targets, ()) for modality, targets in TARGETS.items()})
