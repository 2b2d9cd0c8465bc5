"""Python and the packages that monai_ext asks for, as its own metadata state them: there is no second list."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata
from typing import TYPE_CHECKING

from monai_ext import __version__
from monai_ext.doctor.finding import Finding

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OURS = "monai_ext"


def version_findings() -> Iterator[Finding]:
    """Python and platform, monai_ext, each package that it asks for, and each of its extras."""
    try:
        stated = metadata.metadata(OURS)
    except metadata.PackageNotFoundError:
        yield Finding(
            "packages", OURS, "mend", "is not installed, so what it asks for is unknown", "pip install it"
        )
        return
    yield _python(str((stated.get_all("Requires-Python") or [""])[0]))
    yield Finding("packages", OURS, "ok", __version__, values={"version": __version__})
    extras = {str(name): extra_requirements(str(name)) for name in stated.get_all("Provides-Extra") or ()}
    for need in needed(base_requirements(), extras):
        yield package_finding(need)
    for name, needs in extras.items():
        yield extra_finding(name, needs)


def base_requirements() -> list[Requirement]:
    """What the package asks for without any extra, on this platform."""
    return [need for need in _all() if need.marker is None or need.marker.evaluate({"extra": ""})]


def extra_requirements(extra: str) -> list[Requirement]:
    """What an extra asks for on this platform beside :func:`base_requirements`; extras in it are unfolded."""
    found = []
    for need in _all():
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            continue
        if need.marker.evaluate({"extra": extra}):
            within = [one for name in need.extras for one in extra_requirements(name)]
            found += within if _normal(need.name) == _normal(OURS) else [need]
    return found


def needed(base: list[Requirement], extras: dict[str, list[Requirement]]) -> list[Requirement]:
    """The requirements that hold here, one for each package.

    Where the package that an extra is named for is installed, the extra decides: MONAI Label asks for an older pydicom
    than everything else, in an environment of its own.
    """
    chosen = {_normal(need.name): need for need in base}
    for needs in extras.values():
        if needs and version_of(needs[0]) is not None:
            chosen |= {_normal(need.name): need for need in needs if _normal(need.name) in chosen}
    return list(chosen.values())


def package_finding(need: Requirement) -> Finding:
    """Whether a package is there in a version that is asked for."""
    version, wanted = version_of(need), str(need.specifier)
    values = {"version": version, "wanted": wanted}
    advice = f'pip install "{_plain(need)}"'
    if version is None:
        return Finding("packages", need.name, "mend", "is not installed", advice, values)
    if not need.specifier.contains(version, prereleases=True):
        return Finding("packages", need.name, "mend", f"{version}, {wanted} is wanted", advice, values)
    return Finding("packages", need.name, "ok", f"{version} {wanted and f'({wanted})'}".strip(), "", values)


def extra_finding(name: str, needs: list[Requirement]) -> Finding:
    """Whether all that an extra asks for is there; that it is not is no fault, since nothing but the extra wants it."""
    missing = [
        _plain(need)
        for need in needs
        if (version := version_of(need)) is None or not need.specifier.contains(version, prereleases=True)
    ]
    if not missing:
        return Finding("extras", name, "ok", "all there", values={"missing": []})
    text = f"not all there: {', '.join(missing)}"
    advice = {
        "label": "for MONAI Label, in an environment of its own: make test-label",
        "deploy": "for MONAI Deploy, in an environment of its own: make test-deploy",
    }.get(name, f'if you want it: pip install "{OURS}[{name}]"')
    return Finding("extras", name, "note", text, advice, {"missing": missing})


def version_of(need: Requirement) -> str | None:
    """The version of a package that is installed; None if it is not."""
    try:
        return metadata.version(need.name)
    except metadata.PackageNotFoundError:
        return None


def _python(wanted: str) -> Finding:
    from packaging.specifiers import SpecifierSet

    version = platform.python_version()
    values = {"version": version, "wanted": wanted, "platform": platform.platform()}
    text = f"{version} ({wanted}) on {platform.platform()}"
    if SpecifierSet(wanted).contains(version, prereleases=True):
        return Finding("python", "Python", "ok", text, "", values)
    return Finding("python", "Python", "mend", text, f"make an environment with Python {wanted}", values)


def _all() -> list[Requirement]:
    from packaging.requirements import Requirement

    return [Requirement(line) for line in metadata.requires(OURS) or ()]


def _plain(need: Requirement) -> str:
    extras = f"[{','.join(sorted(need.extras))}]" if need.extras else ""
    return f"{need.name}{extras}{need.specifier}"


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
