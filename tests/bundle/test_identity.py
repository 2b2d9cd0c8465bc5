"""A bundle's name and version, as its configuration states them."""

from monai_ext import __version__
from monai_ext.bundle.identity import bundle_identity


def test_the_version_is_that_of_the_metadata():
    assert bundle_identity("vlsm", {"version": "7.1.0", "task": "x"}) == ("vlsm", "7.1.0")


def test_without_metadata_the_version_is_that_of_the_package():
    assert bundle_identity("vlsm", {}) == ("vlsm", __version__)
