"""The lexicon of the embedded weights, and that of a network which was taught every target of the prompt library."""

from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import MODALITIES
from monai_ext.weights.registry import registered

TARGETS = registered("vlsm").targets
LEXICON = Lexicon((), {modality: dict.fromkeys(targets, ()) for modality, targets in TARGETS.items()})

EVERY_TARGET = {modality: PromptLibrary.load().targets(modality) for modality in MODALITIES}
EVERYTHING = Lexicon((), {modality: dict.fromkeys(targets, ()) for modality, targets in EVERY_TARGET.items()})
