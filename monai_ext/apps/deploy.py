"""A MONAI Deploy application: a folder with one DICOM series in, a DICOM SEG with one segment a prompt out.

    ulimit -s 32768
    python -m monai_ext.apps.deploy -i DICOM_DIR -o OUT -m BUNDLE_DIR -p "liver" -p "spleen"

``BUNDLE_DIR`` is a bundle written by ``monai-ext bundles export``. Needs the extra ``deploy``. Input, output
and bundle may also come from the variables that MONAI Deploy sets in its containers
(``HOLOSCAN_INPUT_PATH``, ``HOLOSCAN_OUTPUT_PATH``, ``HOLOSCAN_MODEL_PATH``), the prompts from
``MONAI_EXT_PROMPT``, separated by ``;``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.deploy.conditions import CountCondition
from monai.deploy.core import AppContext, Application, Image, IOType
from monai.deploy.core.domain.dicom_series_selection import SelectedSeries, StudySelectedSeries
from monai.deploy.operators.dicom_data_loader_operator import DICOMDataLoaderOperator
from monai.deploy.operators.dicom_seg_writer_operator import (
    DICOMSegmentationWriterOperator,
    SegmentDescription,
)
from monai.deploy.operators.dicom_series_selector_operator import DICOMSeriesSelectorOperator
from monai.deploy.operators.dicom_series_to_volume_operator import DICOMSeriesToVolumeOperator
from monai.deploy.operators.monai_bundle_inference_operator import IOMapping, MonaiBundleInferenceOperator
from monai.utils import MetaKeys, SpaceKeys
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from monai_ext.errors import InputError, WeightsError
from monai_ext.io.dicom.headers import NO_IMAGE
from monai_ext.prompts.separate import plain_text, split_prompts
from monai_ext.weights.load import check_own_model

logger = logging.getLogger(__name__)

LONGEST_LABEL = 64
"""Characters of a DICOM long string (LO), such as a segment's label."""


class TextPromptBundleOperator(MonaiBundleInferenceOperator):
    """Runs an exported bundle on the image of one DICOM series, for the prompts given.

    Port ``image``: the :class:`Image` of :class:`DICOMSeriesToVolumeOperator`, (D, H, W). Port ``pred``:
    an :class:`Image` (D, H, W) uint8 in the same order, value i + 1 for prompt i, 0 elsewhere.

    Args:
        fragment: the application.
        app_context: MONAI Deploy's paths; its models are not used.
        bundle: folder of the exported bundle.
        prompts: what to segment, at least one.
    """

    def __init__(
        self,
        fragment: Any,
        *args: Any,
        app_context: AppContext,
        bundle: Path,
        prompts: Sequence[str],
        **kwargs: Any,
    ) -> None:
        self._prompts = [plain_text(prompt) for prompt in prompts]
        # The SDK takes any existing path for a model it has loaded, and would then not load the bundle's.
        app_context.models = None
        super().__init__(
            fragment,
            *args,
            app_context=app_context,
            input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
            output_mapping=[IOMapping("pred", Image, IOType.IN_MEMORY)],
            bundle_path=bundle,
            **kwargs,
        )

    def _init_config(self, config_names: Sequence[str]) -> None:
        super()._init_config(config_names)
        self._parser["displayable_configs"]["text_prompt"] = "; ".join(self._prompts)
        self._parser.parse()
        self._inferer = self._parser.get_parsed_content(self._bundle_config_names.inferer_name)

    def _convert_from_image(self, img: Image) -> tuple[np.ndarray, dict[str, Any]]:
        """The image as the bundle's own loader gives it: (1, X, Y, Z) float32, affine (4, 4) to RAS mm.

        Only geometry and modality go on: patient data of the series stays here.
        """
        series = img.metadata()
        voxels = np.swapaxes(img.asnumpy(), 0, 2)
        affine = series.get(DICOMSeriesToVolumeOperator.ATTRIBUTE_NIFTI_AFFINE)
        if affine is None:
            # The SDK makes none for a single image, such as a chest X-ray. Its picture is shown as stored:
            # columns to the patient's left, rows downwards.
            row, column = series.get("row_pixel_spacing") or 1.0, series.get("col_pixel_spacing") or 1.0
            affine = np.diag([-column, -row, 1.0, 1.0])
        affine = np.asarray(affine, dtype=np.float64)
        return voxels[None].astype(np.float32), {
            MetaKeys.AFFINE: affine,
            MetaKeys.ORIGINAL_AFFINE: affine.copy(),
            MetaKeys.SPATIAL_SHAPE: np.asarray(voxels.shape),
            MetaKeys.ORIGINAL_CHANNEL_DIM: 0,
            MetaKeys.SPACE: SpaceKeys.RAS,
            "kind": "dicom",
            "modality": series.get("Modality") or "",
        }


class SeriesLoader(DICOMDataLoaderOperator):
    """Loads DICOM files, also of series that lack what the SDK or a SEG needs, as de-identified ones do."""

    def load_data_to_studies(self, input_path: Path) -> Any:
        """Studies of a folder; images without a frame of reference get one per series, with a warning."""
        studies = super().load_data_to_studies(input_path)
        for series in (series for study in studies for series in study.get_all_series()):
            images = [instance.get_native_sop_instance() for instance in series.get_sop_instances()]
            bare = [image for image in images if not image.get("FrameOfReferenceUID")]
            for image in bare:
                image.FrameOfReferenceUID = generate_uid(entropy_srcs=[series.SeriesInstanceUID])
            if bare:
                logger.warning("The series has no Frame of Reference UID: the SEG gets one of its own.")
        return studies

    def populate_series_attributes(self, series: Any, sop_instance: Any) -> None:
        """As the SDK, which drops a series whose number is empty, as DICOM allows."""
        if sop_instance.get("SeriesNumber", 0) is None:
            sop_instance = Dataset(sop_instance)
            del sop_instance.SeriesNumber
        super().populate_series_attributes(series, sop_instance)


class OneSeriesSelector(DICOMSeriesSelectorOperator):
    """Selects the one image series of the input, in grey; which of several is meant cannot be known."""

    def filter(self, selection_rules: Any, dicom_study_list: Any, *args: Any, **kwargs: Any) -> Any:
        found = [
            (study, series)
            for study in dicom_study_list
            for series in study.get_all_series()
            if series.Modality not in NO_IMAGE
        ]
        if len(found) != 1:
            series = ", ".join(f"{s.Modality} of {len(s.get_sop_instances())} images" for _, s in found)
            raise InputError(
                f"the input folder holds {len(found)} image series ({series or 'none'}); give one."
            )
        study, series = found[0]
        if series.get_sop_instances()[0].get_native_sop_instance().get("SamplesPerPixel", 1) != 1:
            raise InputError(
                "the images are in colour, which MONAI Deploy does not read; monai-ext segment does."
            )
        selected = StudySelectedSeries(study)
        selected.add_selected_series(SelectedSeries("", series))
        return [selected]


def segment_description(prompt: str, bundle: str, version: str) -> SegmentDescription:
    """How the SEG describes the segment of a prompt.

    The label is the prompt, cut to 64 characters; the tracking id holds all of it. The coded type is the
    SNOMED CT concept of that name if DICOM lists one for segments (``liver``), else "Anatomical Structure": a
    free text has no code.
    """
    keyword = "".join(word.capitalize() for word in prompt.split())
    known = codes.CID7192  # Anatomical Structure Segmentation Property Type
    kind = getattr(known, keyword) if keyword in dir(known) else codes.SCT.AnatomicalStructure
    return SegmentDescription(
        segment_label=prompt.replace("\\", "/")[:LONGEST_LABEL],
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=kind,
        algorithm_name=f"monai_ext {bundle}",
        algorithm_version=version,
        tracking_id=prompt,
    )


class SegmentationApp(Application):
    """Loader, selector, volume, :class:`TextPromptBundleOperator` and SEG writer, in this order.

    Args:
        app_context: MONAI Deploy's paths: folder with one DICOM series, output folder, exported bundle.
        prompts: what to segment, at least one.
    """

    def __init__(self, app_context: AppContext, prompts: Sequence[str]) -> None:
        self._context, self._prompts = app_context, list(prompts)
        self._bundle = Path(app_context.model_path)
        # Without arguments of its own the application would read those of this process.
        super().__init__([sys.executable])

    def compose(self) -> None:
        version = json.loads((self._bundle / "configs" / "metadata.json").read_text())["version"]
        # Without a count the loader, which waits for nothing, would load the folder again and again.
        loader = SeriesLoader(
            self,
            CountCondition(self, 1),
            input_folder=Path(self._context.input_path),
            must_load=False,
            name="load",
        )
        selector = OneSeriesSelector(self, name="select")
        volume = DICOMSeriesToVolumeOperator(self, name="volume")
        segment = TextPromptBundleOperator(
            self, app_context=self._context, bundle=self._bundle, prompts=self._prompts, name="segment"
        )
        writer = DICOMSegmentationWriterOperator(
            self,
            segment_descriptions=[segment_description(p, self._bundle.name, version) for p in self._prompts],
            output_folder=Path(self._context.output_path),
            name="write",
        )
        self.add_flow(loader, selector, {("dicom_study_list", "dicom_study_list")})
        self.add_flow(selector, volume, {("study_selected_series_list", "study_selected_series_list")})
        self.add_flow(volume, segment, {("image", "image")})
        self.add_flow(segment, writer, {("pred", "seg_image")})
        self.add_flow(selector, writer, {("study_selected_series_list", "study_selected_series_list")})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the application; returns the exit code: 0 fine, 2 bad input or usage, 3 weights."""
    parser = argparse.ArgumentParser(
        prog="python -m monai_ext.apps.deploy", description=__doc__.splitlines()[0]
    )
    parser.add_argument("-i", "--input", help="folder with one DICOM series")
    parser.add_argument("-o", "--output", help="folder for the DICOM SEG")
    parser.add_argument("-m", "--model", help="exported bundle")
    parser.add_argument("-p", "--prompt", action="append", help="what to segment; may be repeated")
    options = parser.parse_args(argv)
    context = AppContext({k: v for k, v in vars(options).items() if k != "prompt" and v})
    try:
        prompts = [
            p
            for text in options.prompt or [os.environ.get("MONAI_EXT_PROMPT", "")]
            for p in split_prompts(text)
        ]
        if not prompts:
            raise InputError("no prompt: say what to segment with -p or MONAI_EXT_PROMPT.")
        if not Path(context.input_path).is_dir():
            raise InputError(
                f"input {Path(context.input_path).name!r} is no folder; give one with a DICOM series."
            )
        if not (Path(context.model_path) / "configs" / "inference.json").is_file():
            raise InputError(
                f"model {Path(context.model_path).name!r} is no bundle; make one with: monai-ext bundles export."
            )
        check_own_model(context.model_path)
        SegmentationApp(context, prompts).run()
    except (InputError, WeightsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
