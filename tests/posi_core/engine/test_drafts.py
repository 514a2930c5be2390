from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from posi.posi_core.engine.drafts import CopyDraft

STOP = 0
tokens = st.integers(1, 12)


def starts(token: int) -> bool:
    return token % 3 != 0


def decode(source: list[int], answer: list[int], *, most: int = 6) -> tuple[int, int]:
    """Verify drafts against a known answer (its stop token included); rounds and accepted tokens."""
    draft = CopyDraft(source, STOP, starts)
    text: list[int] = []
    rounds = accepted = 0
    while text != answer:
        proposal = draft.propose(min(most, len(answer) - len(text) - 1))
        # A model that goes on with the answer, and copies the draft after a wrong token.
        chosen = []
        for index in range(len(proposal) + 1):
            right = proposal[:index] == answer[len(text) : len(text) + index]
            chosen.append(answer[len(text) + index] if right else [*proposal, STOP][index])
        kept = 1
        while kept <= len(proposal) and chosen[kept - 1] == proposal[kept - 1]:
            kept += 1
        text += chosen[:kept]
        accepted += kept - 1
        rounds += 1
        draft.observe(proposal, chosen, kept)
        assert text == answer[: len(text)]
    return rounds, accepted


@given(st.lists(tokens, max_size=40), st.lists(tokens, max_size=40), st.integers(0, 9))
@settings(max_examples=500, deadline=None)
def test_any_answer_is_reached(source: list[int], answer: list[int], most: int) -> None:
    rounds, accepted = decode(source, [*answer, STOP], most=most)
    assert rounds + accepted == len(answer) + 1


def test_a_copy_is_one_batch() -> None:
    source = list(range(1, 30))
    assert decode(source, [*source, STOP], most=40)[0] == 1


def test_a_replaced_word_costs_one_batch() -> None:
    source = list(range(1, 30))
    answer = [*source[:9], 77, *source[10:], STOP]
    assert decode(source, answer, most=40)[0] == 2


def test_a_replaced_word_of_several_tokens_is_skipped_whole() -> None:
    source = [1, 2, 4, 6, 9, 12, 5, 7, 8, 10]  # 6, 9 and 12 continue the word that 4 starts
    assert decode(source, [1, 2, 77, 5, 7, 8, 10, STOP], most=40)[0] == 2


def test_words_left_out_and_put_in() -> None:
    source = list(range(1, 40))
    left_out = [*source[:9], *source[12:], STOP]
    assert decode(source, left_out, most=60)[0] == 2
    more_left_out = [*source[:9], *source[20:], STOP]
    assert decode(source, more_left_out, most=60)[0] <= 3
    put_in = [*source[:9], 77, 79, *source[9:], STOP]
    assert decode(source, put_in, most=60)[0] <= 4


def test_it_finds_its_place_after_a_long_detour() -> None:
    source = list(range(1, 60))
    detour = [77, 79, 80, 82, 83, 85]
    answer = [*source[:9], *detour, *source[30:], STOP]
    # Two tokens of the prompt in a row show where it goes on.
    assert decode(source, answer, most=60)[0] <= len(detour) + 4


def test_what_the_model_said_about_later_rows_is_used() -> None:
    draft = CopyDraft([1, 2, 4, 5, 7, 8], STOP, starts)
    proposal = draft.propose(7)
    assert proposal == [1, 2, 4, 5, 7, 8, STOP]
    # The second token is 50 instead, and further on the model would rather have 70 than 7.
    draft.observe(proposal, [1, 50, 4, 5, 70, 8, STOP, 9], 2)
    assert draft.propose(9) == [4, 5, 70, 8, STOP]


def test_a_text_that_runs_in_a_circle_is_drafted_from_itself() -> None:
    source = list(range(1, 10))
    answer = [*source[:4], *[50, 52, 53, 55] * 10, STOP]
    assert decode(source, answer, most=20)[0] <= 16


def test_a_draft_ends_where_it_is_hardly_worth_it() -> None:
    source = list(range(1, 60))
    draft = CopyDraft(source, STOP, starts)
    assert len(draft.propose(99)) == 60
    careful, bold = draft.propose(99, 0.6), draft.propose(99, 0.2)
    assert 0 < len(careful) < len(bold) < 60
    assert careful == source[: len(careful)]
    # After a token that does not fit, the next guess is not worth a row.
    draft.propose(9)
    draft.observe(source[:9], [77], 1)
    assert draft.propose(99, 0.6) == []
