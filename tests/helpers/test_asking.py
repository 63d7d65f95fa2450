"""Questions to a language model: fair candidates, and what a reader of films, of places or of nothing would get."""

import numpy as np
import pytest

from helpers import asking, data, language
from helpers.errors import CourseError

RATINGS = data.load_ratings("movielens-100k")
ASKED = asking.questions(RATINGS)
TITLES = RATINGS.items["title"].tolist()


def test_a_question_wants_the_last_liked_film_and_tells_the_eight_before():
    liked = RATINGS.table[RATINGS.table["rating"] >= 4].sort_values(["user", "timestamp"], kind="stable")
    for question in ASKED[:20]:
        *before, last = liked.loc[liked["user"] == question.user, "item"]
        assert question.wanted == last and question.known.tolist() == before[-8:]


def test_other_candidates_were_never_rated_by_the_user_and_appear_once():
    seen = data.interactions(RATINGS.table, RATINGS.shape)
    for question in ASKED:
        for kind in asking.NEGATIVES:
            assert not seen[question.user, question.others[kind]].any()
            assert len(set(question.candidates(kind))) == 20 and question.candidates(kind)[0] == question.wanted


def test_matched_candidates_are_as_famous_as_the_wanted_film_and_others_are_not():
    fame = asking.fame(RATINGS)
    gap = {
        kind: np.mean([abs(np.median(fame[q.others[kind]]) - fame[q.wanted]) for q in ASKED])
        for kind in asking.NEGATIVES
    }
    assert gap["as famous"] < 25 < 80 < gap["any"]
    sides = [(fame[q.others["as famous"]] > fame[q.wanted]).mean() for q in ASKED]
    assert 0.35 < np.mean(sides) < 0.65


def test_a_stranger_has_liked_none_of_the_films_asked_about():
    for question in ASKED:
        assert not np.isin(question.stranger, [*question.candidates("any"), *question.candidates("as famous")]).any()
    assert sum(np.isin(q.stranger, q.known).mean() for q in ASKED) / len(ASKED) < 0.3
    assert len({q.user for q in ASKED}) == len(ASKED) == 120


def test_a_tie_counts_as_lost():
    assert asking.rank(np.array([3.0, 1.0, 2.0])) == 1
    assert asking.rank(np.array([2.0, 2.0, 1.0, 3.0])) == 3


def test_a_small_dataset_is_refused_with_its_numbers():
    with pytest.raises(CourseError, match=r"toy is too small .* 4 films and 0 users .* 80 and 2 are needed"):
        asking.questions(data.Ratings("toy", RATINGS.table[:0], RATINGS.users[:2], RATINGS.items[:4], RATINGS.known))


def test_prompts_are_lists_of_titles():
    assert asking.liked_prompt([]) == "A list of films that one person likes:\n"
    prompt = asking.listing_prompt(["Alien"], ["Babe", "Fargo"], numbered=True)
    assert prompt.startswith("A list of films that one person likes:\nAlien\n\nFive films")
    assert "1. Babe\n2. Fargo\n" in prompt and prompt.endswith("is number ")


@pytest.mark.parametrize("numbered", [False, True])
def test_a_reader_of_films_picks_one_film_and_a_reader_of_places_one_place(monkeypatch, numbered):
    five = ["Alien", "Babe", "Fargo", "Heat", "Scream"]

    def by_film(llm, prompt, answers):
        listed = prompt.split("not seen:\n")[1].split("\n\n")[0].splitlines()
        return np.array([float("Fargo" in line) for line in listed]), None

    monkeypatch.setattr(language, "log_likelihood", by_film)
    picked = asking.picks(None, ["Jaws"], five, numbered=numbered)
    assert sorted(picked) == [0, 1, 2, 3, 4]
    assert set((picked - np.arange(5)) % 5) == {2}  # the film that stood third at first
    monkeypatch.setattr(language, "log_likelihood", lambda llm, prompt, answers: (np.array([0, 0, 0, 0, 1.0]), None))
    picked = asking.picks(None, ["Jaws"], five, numbered=numbered)
    assert set(picked) == {4}
