import pytest

from monai_ext.prompts.prompt import GroupedPrompt, Prompt


class TestPrompt:
    def test_a_string_is_a_prompt(self):
        assert Prompt.of("lungs") == Prompt(("lungs",))
        assert Prompt.of(Prompt(("a", "b"), target="lung")) == Prompt(("a", "b"), target="lung")

    def test_the_name_is_the_target_else_the_first_text(self):
        assert Prompt(("left lung", "lung on the left"), target="lung").name == "lung"
        assert Prompt(("left lung", "lung on the left")).name == "left lung"

    @pytest.mark.parametrize("texts", [(), "lungs"])
    def test_texts_are_a_tuple_of_at_least_one(self, texts):
        with pytest.raises(ValueError, match="non-empty tuple"):
            Prompt(texts)

    def test_the_members_of_an_ensemble_are_its_texts_or_its_groups(self):
        texts = ("a", "b", "c")
        assert GroupedPrompt(texts, "lung", True, (1, 2)).members() == [
            Prompt(("a",), "lung", True),
            Prompt(("b", "c"), "lung", True),
        ]
        assert Prompt(texts, "lung").members() == [Prompt((text,), "lung") for text in texts]

    @pytest.mark.parametrize("groups", [(), (1, 1), (3, 0), (4, -1)])
    def test_groups_hold_all_texts_and_none_is_empty(self, groups):
        with pytest.raises(ValueError, match="do not divide 3 texts"):
            GroupedPrompt(("a", "b", "c"), groups=groups)
