"""A word that is not known brings the word that was meant, or the target that is nearest in meaning."""

import pytest

from monai_ext.prompts.suggest import suggestion
from tests.prompts.taught import LEXICON


@pytest.mark.parametrize(
    ("given", "suggested"),
    [
        (["polip"], "; did you mean 'polyp'?"),
        (["polypps"], "; did you mean 'polyp'?"),
        (["pancras"], "; did you mean 'pancreas'?"),
        (["xyz", "polip"], "; did you mean 'polyp'?"),
        (["bronchus"], "; the nearest that they know is 'lungs'"),
        (["polip", "bronchus"], "; the nearest that they know is 'lungs'"),
        (["cerebelum"], ""),
        (["vertebra"], ""),
        (["cyst"], ""),
        ([], ""),
    ],
)
def test_suggestions_are_correct_words_or_what_is_nearest_in_meaning(given, suggested):
    assert suggestion(given, LEXICON) == suggested
