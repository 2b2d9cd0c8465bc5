"""The texts that presence contrasts a prompt with."""

from monai_ext.networks.encoders.text_presence import contrast_texts
from monai_ext.prompts.library import PromptLibrary


def test_masked_images_are_contrasted_with_all_canonical_sentences_and_then_the_background():
    library = PromptLibrary.load()
    first = library.canonical(library.targets("xray")[0], "xray")
    last = library.canonical(library.targets("photo")[-1], "photo")
    texts = contrast_texts(["background", "nothing"])
    assert texts[0] == first and texts[-3:] == [last, "background", "nothing"]
    assert library.canonical("polyp", "endoscopy") in texts and len(set(texts)) == len(texts) > 30


def test_patch_tokens_are_contrasted_with_nothing():
    assert contrast_texts(["background"], compare="patch_tokens") == []
