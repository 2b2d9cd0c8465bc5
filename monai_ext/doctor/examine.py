"""All checks of an installation, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Iterator

from monai_ext.doctor.finding import Finding
from monai_ext.doctor.machine import device_findings, disk_findings, memory_finding
from monai_ext.doctor.self_test import self_test
from monai_ext.doctor.versions import version_findings
from monai_ext.doctor.weights import weights_findings


def examine() -> Iterator[Finding]:
    """Every finding as soon as it is made, the quick ones first; the self test comes last."""
    yield from version_findings()
    yield memory_finding()
    yield from disk_findings()
    yield from weights_findings()
    yield from device_findings()
    yield self_test()
