"""What was read before the hash counts only if it still holds after it: no call of an old state has an effect."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.races.gates import held_after_hash, met_in_lock, outcome
from tests.service import Service, User
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, two_factor_pb2
from twofold_server.db import sign_in as statements
from twofold_server.db.pool import Connection

Services = tuple[Service, Service]
NEW_PASSWORD = "another horse battery 8"


async def change_password(service: Service, user: User) -> None:
    """Change the password in the user's session."""
    changed = await service.accounts.ChangePassword(
        account_pb2.ChangePasswordRequest(
            reauthentication=user.reauthentication, new_password=NEW_PASSWORD, client=service.client
        ),
        metadata=service.with_session(user),
    )
    user.tokens = changed.tokens


async def delete(service: Service, user: User, code: sign_in_pb2.SecondFactor | None = None) -> None:
    """Delete the account."""
    await service.accounts.DeleteAccount(
        account_pb2.DeleteAccountRequest(
            reauthentication=user.reauthentication, second_factor=code, client=service.client
        ),
        metadata=service.with_session(user),
    )


async def disable(service: Service, user: User, code: sign_in_pb2.SecondFactor) -> None:
    """Turn two-factor off."""
    await service.two_factor.DisableTwoFactor(
        two_factor_pb2.DisableTwoFactorRequest(
            reauthentication=user.reauthentication, second_factor=code, client=service.client
        ),
        metadata=service.with_session(user),
    )


async def lock(service: Service, user: User) -> None:
    """Lock the account, as support will."""
    await service.app.pool.execute(
        "UPDATE accounts SET state = 'locked' WHERE account_id = $1::text::uuid", user.account_id
    )


async def sessions_of(service: Service, user: User) -> int:
    """How many sessions of the account count."""
    found: int = await service.app.pool.fetchval(
        """
        SELECT count(*) FROM sessions s JOIN accounts a USING (account_id)
         WHERE account_id = $1::text::uuid AND s.end_time IS NULL AND s.epoch = a.epoch AND a.state = 'active'
        """,
        user.account_id,
    )
    return found


async def test_a_factor_enrolled_while_the_password_was_hashed_is_not_slipped_past(two_services: Services) -> None:
    """The sign-in read that nothing was owed; its verdict finds the factor, and what comes of it is a challenge."""
    one, other = two_services
    user = await one.signed_in_user()
    stranger = User(user.email, user.password)
    async with held_after_hash(one, lambda: one.sign_in(stranger)) as sign_in:
        await other.enrol(user)
    response = await sign_in
    assert response.HasField("challenge")
    assert not stranger.tokens.access_token


async def test_a_sign_in_that_two_factor_is_turned_off_under_begins_again(two_services: Services) -> None:
    """What it owed is owed no more: its session is a new one, of the password alone."""
    one, other = two_services
    user = await one.two_factor_user()
    two = User(user.email, user.password, seed=user.seed)
    code, used_elsewhere = one.code(user, 1), sign_in_pb2.SecondFactor(backup_code=user.backup_codes[0])
    async with held_after_hash(one, lambda: one.sign_in(two, second_factor=code)) as sign_in:
        await disable(other, user, used_elsewhere)
    response = await sign_in
    assert response.signed_in.session.aal == 1
    assert list(response.signed_in.session.amr) == ["pwd"]


async def test_a_sign_in_with_the_old_password_that_is_changed_under_it_is_refused(two_services: Services) -> None:
    """The old password was right when it was hashed. It is verified again, and is wrong."""
    one, other = two_services
    user = await one.signed_in_user()
    stranger = User(user.email, user.password)
    async with held_after_hash(one, lambda: one.sign_in(stranger)) as sign_in:
        await change_password(other, user)
    assert await outcome(sign_in) == "INVALID_CREDENTIALS"
    assert await sessions_of(one, user) == 1


async def test_a_sign_in_to_an_account_that_is_deleted_or_locked_under_it_is_refused(two_services: Services) -> None:
    """Deleted: as any unknown address. Locked: told, behind the right password."""
    one, other = two_services
    user = await one.signed_in_user()
    async with held_after_hash(one, lambda: one.sign_in(User(user.email, user.password))) as sign_in:
        await delete(other, user)
    assert await outcome(sign_in) == "INVALID_CREDENTIALS"
    user = await one.signed_in_user()
    async with held_after_hash(one, lambda: one.sign_in(User(user.email, user.password))) as sign_in:
        await lock(other, user)
    assert await outcome(sign_in) == "ACCOUNT_LOCKED"
    assert await sessions_of(one, user) == 0


@pytest.mark.parametrize("change", ["password", "deleted", "disabled", "locked", "codes replaced"])
async def test_an_answer_to_a_challenge_of_an_old_state_begins_no_session(two_services: Services, change: str) -> None:
    """A backup code is being hashed when the account changes under its challenge."""
    one, other = two_services
    user = await one.two_factor_user()
    challenge = (await one.sign_in(user)).challenge
    before = await sessions_of(one, user)
    code = sign_in_pb2.SecondFactor(backup_code=user.backup_codes[0])
    stranger = User(user.email)
    async with held_after_hash(one, lambda: one.finish_challenge(stranger, challenge, code)) as answer:
        match change:
            case "password":
                await change_password(other, user)
            case "deleted":
                await delete(other, user, other.code(user, 1))
            case "disabled":
                await disable(other, user, other.code(user, 1))
            case "locked":
                await lock(other, user)
            case "codes replaced":
                await other.two_factor.GenerateBackupCodes(
                    two_factor_pb2.GenerateBackupCodesRequest(), metadata=other.with_session(user)
                )
    expected = "INVALID_SECOND_FACTOR" if change == "codes replaced" else "TICKET_NOT_FOUND"
    assert await outcome(answer) == expected
    assert not stranger.tokens.access_token
    assert await sessions_of(one, user) <= before


async def test_a_factor_removed_while_a_sign_in_waits_proves_nothing(two_services: Services) -> None:
    """Of two apps one is removed between a sign-in's read and its verdict: that one's code is wrong."""
    one, other = two_services
    user = await one.two_factor_user()
    first_seed = user.seed
    one.clock.advance(30)
    await one.enrol(user)
    factors = (
        await one.two_factor.ListFactors(two_factor_pb2.ListFactorsRequest(), metadata=one.with_session(user))
    ).factors
    lost = User(user.email, user.password, seed=first_seed)
    code = one.code(lost, 1)
    async with held_after_hash(one, lambda: one.sign_in(lost, second_factor=code)) as sign_in:
        await other.two_factor.RemoveFactor(
            two_factor_pb2.RemoveFactorRequest(factor_id=factors[0].factor_id), metadata=other.with_session(user)
        )
    assert await outcome(sign_in) == "INVALID_SECOND_FACTOR"
    # A challenge that was begun before ends in nothing either.
    assert await outcome(one.sign_in(lost, second_factor=code)) == "INVALID_SECOND_FACTOR"
    assert await outcome(one.sign_in(user, second_factor=one.code(user, 1))) == "signed_in"


async def test_proofs_in_a_session_that_ends_meanwhile_have_no_effect(two_services: Services) -> None:
    """Signed out, or ended by a change elsewhere, while the password was hashed: nothing is changed."""
    one, other = two_services
    user = await one.signed_in_user()
    second = User(user.email, user.password)
    await one.sign_in(second)
    async with held_after_hash(one, lambda: change_password(one, second)) as change:
        await other.sessions.RevokeSession(
            session_pb2.RevokeSessionRequest(session_id=second.session.session_id), metadata=other.with_session(user)
        )
    assert await outcome(change) == "SESSION_ENDED"
    await one.sign_in(second)
    async with held_after_hash(one, lambda: delete(one, second)) as deletion:
        await other.sessions.RevokeOtherSessions(
            session_pb2.RevokeOtherSessionsRequest(), metadata=other.with_session(user)
        )
    assert await outcome(deletion) == "SESSION_ENDED"
    assert await outcome(one.sign_in(second)) == "signed_in"


async def test_of_two_password_changes_at_once_one_is_made(two_services: Services) -> None:
    """Two sessions change the password: the first to commit ends the other, whose change is not made."""
    one, other = two_services
    user = await one.signed_in_user()
    second = User(user.email, user.password)
    await one.sign_in(second)
    async with held_after_hash(one, lambda: change_password(one, second)) as late:
        await change_password(other, user)
    assert await outcome(late) == "SESSION_ENDED"
    assert await one.is_live(user)
    assert await sessions_of(one, user) == 1


async def test_a_proof_waits_for_the_fifth_wrong_password_and_is_refused(service: Service) -> None:
    """The right password in a session is judged on the count that it waited for, not on the one it read."""
    user = await service.signed_in_user()
    # The session's device is a known one: its own bucket is the second.
    closed = service.clock() + timedelta(seconds=30)

    async def fifth(tx: Connection) -> None:
        await tx.execute(
            "UPDATE password_credentials SET failures = '{0,5}', wait_until = ARRAY['epoch'::timestamptz, $2]"
            " WHERE account_id = $1::text::uuid",
            user.account_id,
            closed,
        )

    async with met_in_lock(service, fifth, lambda: change_password(service, user)) as change:
        assert await outcome(change) == "TOO_MANY_ATTEMPTS"
    assert await service.is_live(user)


async def test_one_code_for_two_proofs_at_once_has_one_effect(two_services: Services) -> None:
    """The same code signs in and turns two-factor off at once: one of them finds it used."""
    one, other = two_services
    user = await one.two_factor_user()
    stranger = User(user.email, user.password)
    code = one.code(user, 1)
    async with held_after_hash(one, lambda: disable(one, user, code)) as turned_off:
        assert await outcome(other.sign_in(stranger, second_factor=code)) == "signed_in"
    assert await outcome(turned_off) == "INVALID_SECOND_FACTOR"
    user = await one.two_factor_user()
    stranger, code = User(user.email, user.password), one.code(user, 1)
    async with held_after_hash(one, lambda: one.sign_in(stranger, second_factor=code)) as sign_in:
        await disable(other, user, code)
    # Begun again on the account as it is now: nothing is owed, so nothing was proven.
    assert (await sign_in).signed_in.session.aal == 1


async def test_an_enrolment_from_a_session_without_a_factor_is_refused_once_another_has_enrolled(
    two_services: Services,
) -> None:
    """Two sessions enrol at once: the second has proven no factor, and must first."""
    one, other = two_services
    user = await one.signed_in_user()
    second = User(user.email, user.password)
    await one.sign_in(second)
    async with held_after_hash(one, lambda: one.enrol(second)) as late:
        await other.enrol(user)
    assert await outcome(late) in {"CHANGED_MEANWHILE", "TICKET_NOT_FOUND"}
    assert (
        len(
            (
                await one.two_factor.ListFactors(two_factor_pb2.ListFactorsRequest(), metadata=one.with_session(user))
            ).factors
        )
        == 1
    )


async def test_a_sign_in_under_which_the_account_never_rests_is_given_up(service: Service) -> None:
    """Read three times and moved each time: ABORTED, and nothing was done."""
    user = await service.signed_in_user()
    pool = service.app.pool
    finish, tries = statements.finish_right_password, 0

    async def after_a_change(*args: Any, **kwargs: Any) -> Any:
        nonlocal tries
        tries += 1
        await pool.execute("UPDATE accounts SET epoch = epoch + 1 WHERE account_id = $1::text::uuid", user.account_id)
        return await finish(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statements, "finish_right_password", after_a_change)
        assert await outcome(service.sign_in(User(user.email, user.password))) == "CHANGED_MEANWHILE"
    assert tries == 3
    assert await sessions_of(service, user) == 0
