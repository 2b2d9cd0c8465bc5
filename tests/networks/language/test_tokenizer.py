"""WordPiece: known splits, unknown signs, and a vocabulary that is learnt the same every time."""

import pytest
import torch

from monai_ext.networks.language.tokenizer import (
    CLS,
    PAD,
    UNK,
    WordPieceTokenizer,
    build_vocabulary,
    split_words,
)

PIECES = [PAD, UNK, CLS, "lung", "##s", "left", "the", "x", "-", "ray", "t", "##u", "##m", "##o", "##r"]


def test_the_longest_piece_wins():
    assert WordPieceTokenizer(PIECES).tokenize("the lungs, X-ray") == [
        "the",
        "lung",
        "##s",
        UNK,
        "x",
        "-",
        "ray",
    ]
    assert WordPieceTokenizer(PIECES).tokenize("tumor") == ["t", "##u", "##m", "##o", "##r"]


def test_ids_are_padded_to_the_longest_sentence_and_begin_with_cls():
    ids = WordPieceTokenizer(PIECES)(["left lungs", "lung", ""])
    assert torch.equal(ids, torch.tensor([[2, 5, 3, 4], [2, 3, 0, 0], [2, 0, 0, 0]]))


def test_a_long_sentence_is_cut():
    assert WordPieceTokenizer(PIECES, max_length=6)(["the " * 100]).shape == (1, 6)


def test_accents_and_case_do_not_matter():
    assert split_words("Pólyp, ŒDEMA") == ["polyp", ",", "œ", "dema"]


def test_a_vocabulary_begins_with_the_special_pieces():
    with pytest.raises(ValueError, match="begins with"):
        WordPieceTokenizer(["lung"])


def test_frequent_pieces_are_merged_first_and_ties_alphabetically():
    learnt = build_vocabulary(["aab aab cd"], size=10_000)
    merged = learnt[learnt.index("%") + 1 :]
    assert merged == ["##ab", "aab", "cd"]


def test_new_pieces_come_behind_those_of_an_older_vocabulary():
    old = build_vocabulary(["aab aab cd"], size=10_000)
    assert build_vocabulary(["aab cdaab cdaab"], 10_000, old) == [*old, "##aab", "cdaab"]
    assert build_vocabulary(["zz zz"], len(old), old) == old


def test_older_weights_use_the_first_pieces_of_the_vocabulary():
    short, whole = WordPieceTokenizer(size=800), WordPieceTokenizer()
    assert len(short) == 800 and whole.pieces[:800] == short.pieces and len(whole) == 1600
    assert len(short.tokenize("haematoma")) > 1 and whole.tokenize("haematoma") == ["haematoma"]
    assert len(set(whole.pieces)) == 1600


def test_the_packaged_vocabulary_spells_every_plain_word():
    tokenizer = WordPieceTokenizer()
    assert UNK not in tokenizer.tokenize("ljashdb: sitting on a chair? 2 kidneys (left/right), 50 % X-ray")
    assert UNK in tokenizer.tokenize("🙂")
    assert tokenizer.tokenize("liver") == ["liver"]
