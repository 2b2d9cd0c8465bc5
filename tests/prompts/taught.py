"""The lexicon of a network that was taught a dozen targets, and that of a network which was taught every target of the prompt library."""

from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import MODALITIES

TARGETS = {
    "xray": ["lungs", "left lung", "right lung"],
    "us": ["breast tumour"],
    "endoscopy": ["polyp"],
    "dermoscopy": ["skin lesion"],
    "ct": [
        "lungs",
        "left lung",
        "right lung",
        "kidneys",
        "left kidney",
        "right kidney",
        "liver",
        "spleen",
        "pancreas",
        "stomach",
        "gallbladder",
        "aorta",
        "inferior vena cava",
        "portal and splenic vein",
        "oesophagus",
        "duodenum",
        "small bowel",
        "colon",
        "urinary bladder",
        "heart",
        "trachea",
        "left adrenal gland",
        "right adrenal gland",
        "left femur",
        "right femur",
    ],
    "mri": [
        "brain tumour",
        "brain metastasis with oedema",
        "whole brain tumour",
        "tumour core",
        "enhancing tumour",
        "peritumoral oedema",
    ],
}
"""A dozen targets of six kinds of image."""
LEXICON = Lexicon((), {modality: dict.fromkeys(targets, ()) for modality, targets in TARGETS.items()})

EVERY_TARGET = {modality: PromptLibrary.load().targets(modality) for modality in MODALITIES}
EVERYTHING = Lexicon((), {modality: dict.fromkeys(targets, ()) for modality, targets in EVERY_TARGET.items()})
