"""Numbers that can receive text messages, and destinations as they are shown."""

import pytest

from twofold_server.domain.masking import mask_email, mask_phone
from twofold_server.domain.values import EmailAddress, PhoneNumber, ShortCode


@pytest.mark.parametrize(
    ("text", "canonical", "country"),
    [
        ("+420777123456", "+420777123456", "CZ"),
        ("+420 777-123.456", "+420777123456", "CZ"),
        ("+49 (151) 12345678", "+4915112345678", "DE"),
        ("+1 201-555-0123", "+12015550123", "US"),
        ("+447400123456", "+447400123456", "GB"),
    ],
)
def test_numbers_in_all_their_spellings(text: str, canonical: str, country: str) -> None:
    """E.164 is what is kept; the country follows from it, and the range of its neighbours."""
    number = PhoneNumber.parse(text)
    assert (number.text, number.country, number.prefix) == (canonical, country, canonical[:-4])
    assert canonical not in repr(number)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Required"),
        ("+" + "1" * 40, "Longer"),
        ("605987654", "international"),
        ("00420605987654", "international"),
        ("+420777123456;ext=1", "international"),
        ("+٤٢٠777123456", "international"),
        ("+9991234567", "No country"),
        ("+42077712345", "short"),
        ("+420111123456", "exist"),
        ("+420222123456", "landline"),
        ("+420900123456", "premium"),
        ("+498001234567", "toll-free"),
        ("+41840123456", "shared-cost"),
        ("+445612345678", "internet telephony"),
        ("+447640123456", "pager"),
        ("+447012345678", "personal"),
    ],
)
def test_numbers_that_take_no_sms_say_why(text: str, why: str) -> None:
    """The reason is named, the number is not repeated."""
    with pytest.raises(ValueError, match=f"(?i){why}") as caught:
        PhoneNumber.parse(text)
    assert text[3:] not in str(caught.value) or len(text) < 4


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("lukas@wedos.com", "lu**@we***.c**"),
        ("lukaslukaslukas@wedoswedos.company", "lu**@we***.c**"),
        ("a@b.cz", "**@***.c**"),
        ("ab@wedos.co.uk", "a**@we***.u**"),
        ("grüße@bücher.example.org", "gr**@bü***.o**"),
    ],
)
def test_masks_of_addresses(address: str, masked: str) -> None:
    """Masks have one length, whatever is behind them; of a short part something is hidden too."""
    assert mask_email(address) == mask_email(EmailAddress.parse(address)) == masked


@pytest.mark.parametrize(
    ("number", "masked"),
    [("+420777123456", "+420*****56"), ("+12015550123", "+1*****23"), ("+4915112345678", "+49*****78")],
)
def test_masks_of_numbers(number: str, masked: str) -> None:
    """The country's code and two digits."""
    assert mask_phone(number) == mask_phone(PhoneNumber.parse(number)) == masked


def test_short_codes() -> None:
    """Six digits of ASCII, spaces forgiven."""
    assert ShortCode.parse("012 345").digits == "012345"
    for bad in ("", "12345", "1234567", "12345a", "١٢٣٤٥٦"):
        with pytest.raises(ValueError, match=r"code|Required"):
            ShortCode.parse(bad)
