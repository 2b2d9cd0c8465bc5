import pytest

# so that a failed check shows its values
pytest.register_assert_rewrite(
    "tests.bundles.contract", "tests.bundles.training_contract", "tests.bundles.runs"
)
