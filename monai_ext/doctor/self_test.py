"""The self test: bundle vlsm segments the sample image of the package, and must find what it is known to find."""

from __future__ import annotations

import time

from monai_ext.doctor.finding import Finding
from monai_ext.errors import WeightsError
from monai_ext.resources import resource_path

SAMPLE, PROMPT = "samples/breast_ultrasound.png", "tumour in a breast ultrasound"
PIXELS, PRESENCE = 15763, 0.996
"""What the embedded weights find of the prompt in the sample: pixels of the mask, and presence in [0, 1]."""
MORE_OR_LESS = 0.01
"""How far a processor or a GPU may be from these: this fraction of the pixels, and so much of presence."""


def self_test() -> Finding:
    """Segment the sample on the device that a run would take, and compare pixels and presence.

    Any failure is a finding, with the error in its text.
    """
    started = time.monotonic()
    try:
        import monai_ext

        (result,) = monai_ext.load("vlsm").segment(resource_path(SAMPLE), [PROMPT])
        pixels = int(result.mask.count_nonzero())
    except WeightsError as error:
        return Finding("self test", "vlsm", "damaged", str(error), "install monai_ext again")
    except Exception as error:  # whatever it is, it is what a run would end with
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        advice = "mend what stands above, else report this with the output of --json"
        return Finding("self test", "vlsm", "mend", f"failed with {reason}", advice)
    seconds = round(time.monotonic() - started, 1)
    return compared(pixels, result.presence, seconds)


def compared(pixels: int, presence: float, seconds: float) -> Finding:
    """The finding of a self test that ran through."""
    values = {"pixels": pixels, "presence": presence, "seconds": seconds}
    text = f"{pixels} pixels at presence {presence:.3f} in the sample image, after {seconds:.1f} s"
    if abs(pixels - PIXELS) <= MORE_OR_LESS * PIXELS and abs(presence - PRESENCE) <= MORE_OR_LESS:
        return Finding("self test", "vlsm", "ok", text, "", values)
    text += f"; {PIXELS} at {PRESENCE:.3f} are expected"
    advice = "compare the versions above with the floors, and report this with the output of --json"
    return Finding("self test", "vlsm", "mend", text, advice, values)
