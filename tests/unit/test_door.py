"""The door: every bad field is named at once by its path, nothing is echoed, a caller's word counts where it may."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, two_factor_pb2
from twofold_server.crypto import backup_codes, tokens
from twofold_server.crypto.keyring import Keyring
from twofold_server.domain.callers import Caller, Grant, Role
from twofold_server.domain.clients import Client
from twofold_server.domain.errors import InvalidFields, SessionInvalid
from twofold_server.domain.paging import Page, Pages
from twofold_server.domain.values import BackupCode, RealmId, TotpCode
from twofold_server.rpc.call import Call, ClientRule
from twofold_server.rpc.door import reading

REALM = RealmId("default")
CALLER = Caller(UUID(int=7), "shop", (Grant(REALM, Role.FRONTEND, may_state_client=True),))
STATED = ClientRule(stated=True, address_required=True, global_only=False)
UNSTATED = ClientRule(stated=False, address_required=False, global_only=False)


def call(rule: ClientRule = STATED, method: str = "/twofold.v1.AccountService/SignIn", realm: str = "default") -> Call:
    return Call(
        request_id="id",
        method=method,
        caller=CALLER,
        realms=(REALM,),
        named_realm=RealmId(realm),
        session=None,
        checked=None,
        deadline=datetime.now(UTC),
        client_rule=rule,
    )


def bad(raised: pytest.ExceptionInfo[InvalidFields]) -> dict[str, str]:
    return {violation.field: violation.description for violation in raised.value.violations}


def test_every_bad_field_is_named_and_none_is_echoed() -> None:
    """One error for the whole request, each field by its path, without what was sent."""
    request = account_pb2.SignInRequest(
        email="s3cret",
        password="s3cret" * 100,
        second_factor={"totp_code": "s3cret"},
        audience="s3cret " * 2,
        client={"ip_address": "s3cret", "device_token": "s3cret", "language_code": "s3cret!"},
    )
    with pytest.raises(InvalidFields) as raised, reading(request) as door:
        door.email()
        door.password()
        door.second_factor(required=False)
        door.audience()
        door.client(call())
    assert set(bad(raised)) == {
        "email",
        "password",
        "second_factor.totp_code",
        "audience",
        "client.ip_address",
        "client.device_token",
        "client.language_code",
    }
    assert "s3cret" not in repr(raised.value.violations)


def test_an_empty_request_names_what_is_required() -> None:
    """Missing fields and messages are named as required, by the path that they would have."""
    with pytest.raises(InvalidFields) as raised, reading(account_pb2.DeleteAccountRequest()) as door:
        door.password("reauthentication.password")
        door.second_factor(required=True)
        door.client(call())
    assert bad(raised) == dict.fromkeys(
        ("reauthentication.password", "second_factor", "client.ip_address"), "Required."
    )


def test_a_fault_in_the_block_is_not_hidden() -> None:
    """An exception of the block is not replaced by the fields."""
    with pytest.raises(RuntimeError), reading(account_pb2.SignInRequest()) as door:
        door.email()
        raise RuntimeError


def test_a_second_factor_is_of_one_kind() -> None:
    """Either kind is read; an empty message is named with what it could hold; a missing one is None where it may be."""
    code = backup_codes.new_codes()[0].text
    for sent, expected in (
        ({"totp_code": "123 456"}, TotpCode("123456")),
        ({"backup_code": code}, BackupCode.parse(code)),
    ):
        with reading(account_pb2.SignInRequest(second_factor=sent)) as door:
            assert door.second_factor(required=True) == expected
    with reading(account_pb2.SignInRequest()) as door:
        assert door.second_factor(required=False) is None
    for required in (True, False):
        with (
            pytest.raises(InvalidFields) as raised,
            reading(account_pb2.SignInRequest(second_factor=sign_in_pb2.SecondFactor())) as door,
        ):
            door.second_factor(required=required)
        assert "totp_code, backup_code" in bad(raised)["second_factor"]


def test_a_oneof_has_an_arm() -> None:
    """`one_of` names the arm that was sent, also inside a message, or the oneof with its arms."""
    with reading(account_pb2.ActivateAccountRequest(new_password="")) as door:
        assert door.one_of("proof") == "new_password"
    with reading(account_pb2.DeleteAccountRequest(reauthentication={"password": "x"})) as door:
        assert door.one_of("reauthentication.proof") == "password"
    with pytest.raises(InvalidFields) as raised, reading(account_pb2.ActivateAccountRequest()) as door:
        assert door.one_of("proof") == ""
    assert "sign_up_binding, password, new_password" in bad(raised)["proof"]
    with pytest.raises(InvalidFields) as raised, reading(account_pb2.DeleteAccountRequest()) as door:
        door.one_of("reauthentication.proof")
    assert list(bad(raised)) == ["reauthentication.proof"]


def test_an_update_mask_names_what_may_change() -> None:
    """At least one path, all of them allowed, repeated or not; what may be named is told, what was named is not."""
    allowed = {"display_name", "language_code"}

    def read(*paths: str) -> frozenset[str]:
        with reading(account_pb2.UpdateAccountRequest(update_mask={"paths": paths})) as door:
            return door.update_mask(allowed)
        raise AssertionError

    assert read("display_name", "display_name") == {"display_name"}
    for paths in ((), ("email",), ("display_name", "s3cret"), ("*",), ("display_name",) * 33):
        with pytest.raises(InvalidFields) as raised:
            read(*paths)
        assert "display_name, language_code" in bad(raised)["update_mask"]
        assert "s3cret" not in repr(bad(raised))
    with pytest.raises(InvalidFields), reading(account_pb2.UpdateAccountRequest()) as door:
        door.update_mask(allowed)


def test_a_malformed_refresh_token_is_an_invalid_session() -> None:
    """Empty: required. Malformed: SESSION_INVALID as a forged one, unless a field is bad too."""
    with pytest.raises(InvalidFields), reading(session_pb2.RefreshSessionRequest()) as door:
        door.refresh_token()
    device = tokens.format_device_token(uuid4(), 0, 1, bytes(32))
    for text in ("junk", device, "r1." + "x" * 200):
        with (
            pytest.raises(SessionInvalid) as refused,
            reading(session_pb2.RefreshSessionRequest(refresh_token=text)) as door,
        ):
            door.refresh_token()
        assert refused.value.named_field == "refresh_token"
        with (
            pytest.raises(InvalidFields),
            reading(session_pb2.RefreshSessionRequest(refresh_token=text, audience="a b")) as door,
        ):
            door.refresh_token()
            door.audience()
    session_id = uuid4()
    good = tokens.format_refresh_token(session_id, 3, 1, bytes(32))
    with reading(session_pb2.RefreshSessionRequest(refresh_token=good)) as door:
        assert door.refresh_token().session_id == session_id


def test_an_id_is_required_and_spelt_as_it_was_shown() -> None:
    """An empty id is required, a malformed one named, a good one a UUID."""
    factor_id = uuid4()
    with reading(two_factor_pb2.RemoveFactorRequest(factor_id=str(factor_id))) as door:
        assert door.identifier("factor_id") == factor_id
    for text in ("", "7", str(factor_id).upper()):
        with pytest.raises(InvalidFields), reading(two_factor_pb2.RemoveFactorRequest(factor_id=text)) as door:
            door.identifier("factor_id")


def client(rule: ClientRule, **fields: str) -> Client:
    with reading(account_pb2.SignInRequest(client=fields)) as door:
        return door.client(call(rule))
    raise AssertionError


def test_a_stating_caller_is_believed_and_must_state() -> None:
    """Its address is the network that failures count under; none, or one of nobody, is named."""
    found = client(STATED, ip_address="2001:db8::7", user_agent="Browser", language_code="de")
    assert (found.network, found.ip_address, found.stated) == ("2001:db8::/64", "2001:db8::7", True)
    assert (found.user_agent, found.language_code) == ("Browser", "de")
    for address in ("", "0.0.0.0", "not one"):
        with pytest.raises(InvalidFields):
            client(STATED, ip_address=address)


def test_of_another_caller_the_address_is_not_looked_at() -> None:
    """Whatever it says, failures count under the caller itself."""
    for address in ("", "192.0.2.1", "junk", "x" * 10_000):
        found = client(UNSTATED, ip_address=address)
        assert (found.network, found.ip_address, found.stated) == (f"caller:{CALLER.caller_id}", "", False)


def test_a_realm_may_demand_global_addresses() -> None:
    """With `global_addresses_only` loopback, private and documentation addresses are refused."""
    rule = ClientRule(stated=True, address_required=True, global_only=True)
    assert client(rule, ip_address="1.1.1.1").network == "1.1.1.1"
    for address in ("127.0.0.1", "10.0.0.1", "fd00::1", "192.0.2.1", "::ffff:192.168.0.1"):
        with pytest.raises(InvalidFields) as raised:
            client(rule, ip_address=address)
        assert "global" in bad(raised)["client.ip_address"]


def test_a_user_agent_is_cut_and_made_plain() -> None:
    """512 characters at most, no control, bidi or line-break characters; never a reason to refuse."""
    assert client(UNSTATED, user_agent="x" * 60_000).user_agent == "x" * 512
    assert client(UNSTATED, user_agent="a\r\nb\x00\u202ec\u2028d é").user_agent == "abcd é"


def test_a_device_token_is_taken_apart_and_not_yet_believed() -> None:
    """A well-formed one gives its parts; a refresh token in its place is named."""
    device_id = uuid4()
    good = tokens.format_device_token(device_id, 2, 1, bytes(32))
    found = client(UNSTATED, device_token=good).device
    assert found is not None
    assert (found.device_id, found.generation) == (device_id, 2)
    for text in (good[:-1], tokens.format_refresh_token(device_id, 2, 1, bytes(32)), "x" * 5000):
        with pytest.raises(InvalidFields) as raised:
            client(UNSTATED, device_token=text)
        assert list(bad(raised)) == ["client.device_token"]


LIST = "/twofold.v1.AccountService/ListSignIns"


def test_a_page_token_counts_in_its_own_list_alone() -> None:
    """Another method, realm or keyring, or any altered character, is named; sizes are 1 to 100, 0 stands for 50."""
    pages = Pages(Keyring.from_text(Keyring.generate()))
    last = uuid4()
    here = call(method=LIST)
    token = pages.token(here.scope, last)

    def page(at: Call, read_by: Pages = pages, page_size: int = 0, page_token: str = "") -> Page:
        with reading(account_pb2.ListSignInsRequest(page_size=page_size, page_token=page_token)) as door:
            return door.page(at, read_by)
        raise AssertionError

    assert page(here).size == 50
    assert page(here).after is None
    assert page(here, page_size=100, page_token=token).after == last
    for size in (-1, 101, 2**31 - 1, -(2**31)):
        with pytest.raises(InvalidFields) as raised:
            page(here, page_size=size)
        assert list(bad(raised)) == ["page_size"]
    elsewhere = (call(method="/twofold.v1.SessionService/ListSessions"), call(method=LIST, realm="second"))
    for at in elsewhere:
        with pytest.raises(InvalidFields) as raised:
            page(at, page_token=token)
        assert list(bad(raised)) == ["page_token"]
    flipped = ("A" if token[5] != "A" else "B").join((token[:5], token[6:]))
    for text in (token[:-1], token + "A", flipped, "x" * 5000, str(last)):
        with pytest.raises(InvalidFields):
            page(here, page_token=text)
    with pytest.raises(InvalidFields):
        page(here, Pages(Keyring.from_text(Keyring.generate())), page_token=token)
