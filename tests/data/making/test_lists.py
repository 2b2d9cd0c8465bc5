"""Patients stay in one list, and the split depends on seed and names only."""

import pytest

from monai_ext.data.making.found import Found
from monai_ext.data.making.lists import read_shares, split_cases, with_groups
from monai_ext.errors import InputError

SHARES = read_shares("70/15/15")


def cases(sizes, split=""):
    """Items called by their patient, as many of each as `sizes` says."""
    return [(f"{group}-{n}", group, split) for group, size in sizes.items() for n in range(size)]


def test_shares_sum_up_to_100():
    assert read_shares("80/20") == {"training": 0.8, "validation": 0.2}
    for text in ("70/20", "70", "a/b/c", "0/50/50", "110/-10", "25/25/25/25"):
        with pytest.raises(InputError, match=f"--split {text}: give shares"):
            read_shares(text)


def test_each_patient_alone_is_split_by_the_shares():
    lists, notes = split_cases(cases({f"p{n}": 1 for n in range(100)}), SHARES, 0)
    assert [len(items) for items in lists.values()] == [70, 15, 15] and notes == []


def test_whole_patients_go_into_a_list():
    lists, _ = split_cases(cases({f"p{n}": n % 5 + 1 for n in range(30)}), SHARES, 3)
    patients = [{item.split("-")[0] for item in items} for items in lists.values()]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 30
    assert [len(items) for items in lists.values()] == [62, 14, 14]


def test_the_split_depends_on_the_seed_and_not_on_the_order():
    items = cases({f"p{n}": 1 for n in range(40)})
    first, _ = split_cases(items, SHARES, 0)
    turned, _ = split_cases(items[::-1], SHARES, 0)
    other, _ = split_cases(items, SHARES, 1)
    assert {name: set(found) for name, found in first.items()} == {
        name: set(found) for name, found in turned.items()
    }
    assert set(first["test"]) != set(other["test"])


def test_few_patients_fill_the_first_lists():
    lists, notes = split_cases(cases({"a": 1, "b": 1}), SHARES, 0)
    assert [len(items) for items in lists.values()] == [1, 1, 0]
    assert notes == ["too few patients for the list test, which is empty"]
    lists, notes = split_cases(cases({"a": 5, "b": 5, "c": 5}), SHARES, 0)
    assert [len(items) for items in lists.values()] == [5, 5, 5] and notes == []


def test_stated_lists_are_kept_and_the_rest_is_split_among_the_others():
    items = [*cases({f"p{n}": 1 for n in range(17)}), *cases({"q": 3}, "test")]
    lists, _ = split_cases(items, SHARES, 0)
    assert [len(found) for found in lists.values()] == [14, 3, 3]
    assert lists["test"] == ["q-0", "q-1", "q-2"]


@pytest.mark.parametrize("others", [["test", "training"], ["test", ""], ["", "test"]])
def test_a_patient_in_two_lists_is_refused(others):
    items = [(str(n), "p1", split) for n, split in enumerate(others)]
    with pytest.raises(InputError, match="patient p1 is in"):
        split_cases(items, SHARES, 0)


def test_patients_are_named_by_the_first_group_of_an_expression():
    found = [Found(f"site/{name}.png", (), ()) for name in ("P01_a", "P01_b", "P02_a")]
    assert [case.group for case in with_groups(found, r"(P\d+)_")] == ["P01", "P01", "P02"]
    assert with_groups(found, None) == found
    for pattern, reason in (
        ("P\\d+", "in brackets"),
        ("(P", "no regular expression"),
        ("(P01)", "fits 2 of 3 cases"),
    ):
        with pytest.raises(InputError, match=reason):
            with_groups(found, pattern)
