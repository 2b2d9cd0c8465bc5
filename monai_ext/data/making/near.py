"""Images that look nearly the same stay in one list, as if they were of one patient."""

from __future__ import annotations

from collections.abc import Sequence

from monai_ext.data.near_duplicates import groups_of, near_pairs


def join_patients(
    looks: Sequence[Sequence[str]], patients: Sequence[str], lists: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The patient of each image, one and the same for those whose images look nearly the same, and notes.

    Lists that the source states are kept: images of two of them are not joined.

    Args:
        looks: of each image, see :func:`monai_ext.data.near_duplicates.look_of`.
        patients: of each image.
        lists: that the source puts each image in, "" where it does not say.
    """
    names = list(dict.fromkeys(patients))
    number = {name: index for index, name in enumerate(names)}
    pairs = [pair for pair in near_pairs(looks) if patients[pair.first] != patients[pair.second]]
    inside = [pair for pair in pairs if lists[pair.first] == lists[pair.second]]
    links = [(number[patients[pair.first]], number[patients[pair.second]]) for pair in inside]
    groups = groups_of(links, len(names))
    first = {names[index]: names[group[0]] for group in groups for index in group}
    notes = []
    if groups:
        alike = len({index for pair in inside for index in pair[:2]})
        count = sum(len(group) for group in groups)
        notes.append(
            f"{alike} images look nearly like one of another patient; so that no two lists share them, {count} patients"
            f" count as {len(groups)}"
        )
    if torn := len(pairs) - len(inside):
        notes.append(
            f"{torn} pair(s) of images look nearly the same and are in two lists, where the source puts them; monai-ext"
            " dataset check names them"
        )
    return [first.get(patient, patient) for patient in patients], notes
