import pytest

pytest.register_assert_rewrite("tests.bundles.contract")  # so that a failed check shows its values
