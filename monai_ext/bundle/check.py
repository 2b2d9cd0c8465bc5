"""Look through a foreign bundle without running it: what would it name, evaluate, read or load?

MONAI runs a configuration as a program: ``_target_`` calls any function of any library, ``$`` evaluates any Python.
This check reads the same files as text and lets in what is listed (docs/targets.md), so that a bundle from elsewhere
can be run as data. It does not judge where a bundle writes its results, or how much memory it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from monai_ext.bundle.catalog import bundle_folders, find_bundle
from monai_ext.bundle.check_config import ConfigCheck
from monai_ext.bundle.check_files import bundle_files, file_findings
from monai_ext.bundle.configs import config_files
from monai_ext.bundle.findings import Finding
from monai_ext.bundle.read_config import is_config
from monai_ext.errors import InputError, check_choice

Profile = Literal["default", "strict"]
PROFILES: tuple[Profile, ...] = get_args(Profile)


class CheckedBundle(NamedTuple):
    """What a check read and found.

    Attributes:
        files: how many configurations were read.
        targets, expressions: how many were in them.
        findings: sorted; empty when the bundle may be run.
    """

    files: int
    targets: int
    expressions: int
    findings: tuple[Finding, ...]


def check_bundle(folder: str | Path, profile: Profile = "default") -> CheckedBundle:
    """Check a bundle: every configuration in ``configs/`` and beside it, and every other file.

    Args:
        folder: of the bundle.
        profile: "default", or "strict", see :func:`monai_ext.bundle.expressions.expression_faults`; strict also
            asks for SHA-256 of large files.

    Raises:
        InputError: when there is no such folder, it cannot be read, or holds no configuration.
    """
    check_choice("profile", profile, PROFILES)
    folder = Path(folder).expanduser().resolve()
    if not folder.is_dir():
        raise InputError(f"{folder.name}: no such folder.")
    strict = profile == "strict"
    files, findings = bundle_files(folder)
    configs = ConfigCheck(folder, strict)
    for file in files:
        findings += file_findings(file, folder, strict)
        if is_config(file.name) and (file.parent == folder or file.is_relative_to(folder / "configs")):
            configs.check(file)
    if not configs.read:
        raise InputError(f"{folder.name}: no configuration in its configs/, so it is no bundle.")
    return _checked(configs, findings)


def check_variants(folder: Path, files: Sequence[Path]) -> CheckedBundle:
    """Check configurations that are laid over a bundle's own.

    Args:
        folder: of the bundle, whose files they may take entries from.
        files: the configurations.
    """
    configs = ConfigCheck(folder.resolve())
    for file in files:
        configs.check(file)
    return _checked(configs, [])


def _checked(configs: ConfigCheck, findings: list[Finding]) -> CheckedBundle:
    found = tuple(sorted({*findings, *configs.findings}))
    return CheckedBundle(len(configs.read), configs.targets, configs.expressions, found)


def find_trusted_bundle(name: str | Path, variants: Sequence[str] = (), trust: bool = False) -> Path:
    """The folder of a bundle that may be run: one of the package's own, or one that the check lets in.

    Args:
        name: of a bundle, or its folder.
        variants: see :func:`monai_ext.bundle.configs.config_files`; those that are not the bundle's own are checked.
        trust: leave the checks out.

    Raises:
        InputError: when there is no such bundle or variant, or the check finds something.
    """
    folder = find_bundle(name)
    if trust:
        return folder
    own = folder.resolve() in {path.resolve() for path in bundle_folders().values()}
    if not own and (findings := check_bundle(folder).findings):
        raise InputError(_refusal(f"bundle {folder.name}", findings, "Run monai-ext bundles check DIR"))
    configs = folder.resolve() / "configs"  # elsewhere in a bundle files are not looked at
    foreign = [file for file in config_files(folder, variants) if configs not in file.resolve().parents]
    if findings := check_variants(folder, foreign).findings:
        raise InputError(_refusal("the variant", findings, "Correct it"))
    return folder


def _refusal(what: str, findings: Sequence[Finding], remedy: str) -> str:
    count = f"{len(findings)} finding{'s' if len(findings) > 1 else ''}"
    return (
        f"{what} is not run, {count}, the first: {findings[0]} {remedy}, or add --trust to run it as it is."
    )
