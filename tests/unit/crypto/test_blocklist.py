import time

import pytest

from twofold_server.crypto.blocklist import Advice, _common, advice, is_common, is_context_word


@pytest.mark.parametrize("password", ["password", "PassWord", "12345678", "qwertyuiop", "iloveyou", "ｐａｓｓｗｏｒｄ"])
def test_common_passwords_are_known(password: str) -> None:
    """The passwords that everyone tries first are known, whatever their capitals."""
    assert is_common(password)


@pytest.mark.parametrize("password", ["", "correct horse battery staple", "xk2-Pw9!vQz", "password\n", " password"])
def test_other_passwords_are_not(password: str) -> None:
    """Only the whole password counts."""
    assert not is_common(password)


def test_the_list_is_long_enough() -> None:
    """At least 10,000 passwords of eight and more characters are refused (ASVS 6.2.4 asks for 3,000)."""
    assert len(_common()) >= 10_000
    assert min(map(len, _common())) >= 8


@pytest.mark.parametrize(
    "password",
    [
        "riverside",
        "RIVERSIDE",
        "ｒｉｖｅｒｓｉｄｅ",
        "riverside1",
        "Riverside2024!",
        "!!river-side!!",
        "123riverside",
        "river.side",
    ],
)
def test_a_word_of_the_context_with_little_put_to_it_is_that_word(password: str) -> None:
    """Capitals, compatibility characters, digits and marks make nothing else of a word."""
    assert is_context_word(password, ["other", "Riverside"])
    assert is_context_word(password, ["river side"])


@pytest.mark.parametrize(
    "password", ["", "riversides", "riverside bakery", "my riverside", "edisrevir", "riverside-1234567", "12345678!"]
)
def test_more_than_a_word_of_the_context_is_not_that_word(password: str) -> None:
    """Only the whole password counts: a phrase with the word in it, or much put to it, is another."""
    assert not is_context_word(password, ["Riverside", "2024", "jo", "", "-------"])


def test_words_that_end_in_digits_are_words_too() -> None:
    """An address such as `anna1987` with another year is still that address; its digits alone are not."""
    assert is_context_word("anna1987", ["anna1987"])
    assert is_context_word("Anna2024!", ["anna1987"])
    assert not is_context_word("19871987", ["anna1987"])


@pytest.mark.parametrize("text", ["", "\0" * 256, "\ufdfa" * 256, "1" * 256, "." * 256, "\U0001f510" * 64])
def test_any_text_is_compared_with_any_word(text: str) -> None:
    """Whatever the password or the word, there is an answer."""
    assert is_context_word(text, [text]) == (len(text) >= 4)
    assert not is_context_word(text, ["riverside"])


def test_advice_tells_good_from_bad() -> None:
    """A weak password gets a low score with reasons, a strong one a high score without."""
    weak = advice("password1", [])
    assert weak.score <= 1
    assert weak.warning
    assert weak.suggestions
    assert advice("correct-Horse-battery-Staple-93", []) == Advice(4, "", ())


def test_what_others_would_guess_lowers_the_score() -> None:
    """A password made of the user's own name or address scores lower than the same text of a stranger's."""
    assert advice("Zbigniewbrzz", ["zbigniewbrzz"]).score < advice("Zbigniewbrzz", []).score


def test_only_the_first_64_code_points_are_judged() -> None:
    """What comes after 64 code points neither helps nor costs."""
    assert advice("a" * 64 + "xk2-Pw9!vQz", []) == advice("a" * 64, [])


CRAFTED = ("4@8({[</369&#!1/|0$5+7%2" * 11)[:256]


@pytest.mark.alone
def test_a_crafted_password_costs_no_more_than_a_plain_one() -> None:
    """256 code points of symbols that read as many letters take no more than ten times a plain password's time."""

    def seconds(password: str) -> float:
        taken = []
        for _ in range(5):
            started = time.process_time()
            advice(password, ["name", "name@example.com"])
            taken.append(time.process_time() - started)
        return min(taken)

    assert seconds(CRAFTED) < 10 * seconds("the quick brown fox jumps over the lazy dog and on until sixty-f")


@pytest.mark.parametrize("password", ["", "\0", "\ufffd" * 64, "🙂" * 100, "é" * 64, CRAFTED])
def test_any_text_is_judged(password: str) -> None:
    """Whatever the password, the advice is a score from 0 to 4 and texts."""
    judged = advice(password, ["", "x" * 1000] * 10)
    assert judged.score in range(5)
