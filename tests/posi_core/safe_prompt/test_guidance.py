"""Which words each guided candidate is kept from."""

from __future__ import annotations

from posi.posi_core.safe_prompt.guidance import words_to_avoid
from posi.posi_core.verdict import WordRisk


def blamed(**shares: float) -> list[WordRisk]:
    return [WordRisk(word, place, place + 1, share) for place, (word, share) in enumerate(shares.items())]


def test_sets_grow_by_blame() -> None:
    sets = words_to_avoid(blamed(grim=0.1, bloody=0.6, knife=0.2, dark=0.05), 6)
    assert sets == [
        {"bloody"},
        {"bloody", "knife"},
        {"bloody", "knife", "grim"},
        {"bloody", "knife", "grim", "dark"},
    ]
    assert words_to_avoid(blamed(grim=0.1, bloody=0.6, knife=0.2, dark=0.05), 2) == sets[:2]


def test_words_without_blame_or_meaning_are_left_alone() -> None:
    assert words_to_avoid(blamed(the=0.4, of=0.3, tree=0.01), 6) == []


def test_a_hyphened_word_is_its_parts() -> None:
    assert words_to_avoid([WordRisk("Blood-soaked", 0, 12, 0.5)], 6) == [{"blood"}, {"blood", "soaked"}]


def test_known_words_are_in_every_set_and_spared_ones_in_none() -> None:
    sets = words_to_avoid(blamed(bloody=0.6, ruth=0.3, knife=0.1), 6, already={"gory"}, spared={"ruth"})
    assert sets == [{"gory", "bloody"}, {"gory", "bloody", "knife"}]
