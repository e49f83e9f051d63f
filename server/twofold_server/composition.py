"""How the parts of the service are joined: the rules with their mechanisms, the calls with their rules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import ServiceDescriptor

from twofold_server.crypto.hash_engine import HashEngine
from twofold_server.crypto.keyring import Keyring
from twofold_server.db.pool import Pool
from twofold_server.delivery.letters import Letters
from twofold_server.delivery.outbox import OutboxWorker
from twofold_server.delivery.providers import mail_providers, push_hook, sms_providers
from twofold_server.delivery.rendering import Templates
from twofold_server.domain.accounts import Accounts
from twofold_server.domain.approval_watch import ApprovalWatch
from twofold_server.domain.approvals import Approvals
from twofold_server.domain.approvers import Approvers
from twofold_server.domain.callers import Callers
from twofold_server.domain.captcha import Captchas
from twofold_server.domain.case_execution import CaseExecution
from twofold_server.domain.case_links import CaseLinks
from twofold_server.domain.cases import Cases
from twofold_server.domain.challenges import Challenges
from twofold_server.domain.checked_tokens import CheckedTokens
from twofold_server.domain.clock import Clock
from twofold_server.domain.devices import Devices
from twofold_server.domain.email_changes import EmailChanges
from twofold_server.domain.email_undos import EmailUndos
from twofold_server.domain.enrolling import Enrolling
from twofold_server.domain.enrollments import Enrollments
from twofold_server.domain.factors import Factors
from twofold_server.domain.first_proofs import FirstProofs
from twofold_server.domain.messages import Messages
from twofold_server.domain.owed_enrollments import OwedEnrollments
from twofold_server.domain.paging import Pages
from twofold_server.domain.passkey_sign_in import PasskeySignIns
from twofold_server.domain.passwords import Passwords
from twofold_server.domain.phone_numbers import PhoneNumbers
from twofold_server.domain.proofs import SessionProofs
from twofold_server.domain.realm_texts import RealmTexts
from twofold_server.domain.realms import Realms
from twofold_server.domain.recovery import PasswordResets
from twofold_server.domain.recovery_codes import RecoveryCodes
from twofold_server.domain.recovery_effect import RecoveryEffects
from twofold_server.domain.recovery_gate import PasswordGate
from twofold_server.domain.revocations import Revocations
from twofold_server.domain.security_log import SecurityLog
from twofold_server.domain.sending import Sending
from twofold_server.domain.sessions import Sessions, SessionTokens
from twofold_server.domain.sign_in import SignIns
from twofold_server.domain.sign_in_hints import SignInHints
from twofold_server.domain.sign_up import SignUps
from twofold_server.domain.signing_keys import SigningKeys
from twofold_server.domain.step_up import StepUps
from twofold_server.domain.support import Support
from twofold_server.domain.text_messages import TextMessages
from twofold_server.domain.two_factor import TwoFactor
from twofold_server.domain.two_factor_recovery import TwoFactorRecoveries
from twofold_server.jobs import CaseExpiry, PendingRecoveries, Retention
from twofold_server.outside import breached_passwords, site_verify
from twofold_server.rpc.account import AccountServicer
from twofold_server.rpc.recovery import RecoveryServicer
from twofold_server.rpc.session import SessionServicer
from twofold_server.rpc.support import SupportServicer
from twofold_server.rpc.two_factor import TwoFactorServicer
from twofold_server.settings import Settings

Job = Callable[[], Awaitable[None]]
"""What the clock calls: runs until it is cancelled."""


@dataclass(frozen=True, slots=True)
class Services:
    """What a server is made of. `contract` has a servicer for each service, `jobs` what runs beside the calls."""

    callers: Callers
    realms: Realms
    approvers: Approvers
    approval_watch: ApprovalWatch
    sessions: Sessions
    tokens: CheckedTokens
    signing_keys: SigningKeys
    revocations: Revocations
    captchas: Captchas
    outbox: OutboxWorker
    recovery_effects: RecoveryEffects
    contract: Mapping[ServiceDescriptor, object]
    jobs: Mapping[str, Job]


def compose(settings: Settings, pool: Pool, keyring: Keyring, engine: HashEngine, clock: Clock) -> Services:
    """Join the parts. Raises ValueError for settings that make no sender of mail, text messages or wake-ups."""
    realms = Realms(pool, clock, issuer=settings.issuer)
    callers = Callers(pool, clock, development=settings.development)
    messages = Messages(keyring, clock)
    mail, sms, hook = mail_providers(settings, clock), sms_providers(settings, clock), push_hook(settings, clock)
    text_messages = TextMessages(keyring, configured=sms.configured)
    log = SecurityLog(keyring, messages, text_messages, clock)
    pages = Pages(keyring)

    captchas = Captchas(pool, keyring, site_verify(settings), clock)
    passwords = Passwords(pool, keyring, engine, breached_passwords(settings))
    factors = Factors(keyring, engine, clock)
    proofs = SessionProofs(pool, passwords, factors, clock)
    signing_keys = SigningKeys(pool, keyring, clock)
    tokens = SessionTokens(keyring, signing_keys, clock)

    revocations = Revocations(pool, clock, on_signing_key=signing_keys.read_again)
    sessions = Sessions(pool, realms, signing_keys, tokens, messages, clock)
    sign_ups = SignUps(pool, keyring, passwords, realms, messages, captchas, clock)
    sign_ins = SignIns(pool, keyring, passwords, factors, tokens, messages, captchas, clock)
    passkeys = PasskeySignIns(pool, keyring, engine, tokens, messages, clock)
    sending = Sending(pool, keyring, messages, text_messages, clock)
    challenges = Challenges(pool, keyring, factors, realms, tokens, messages, sending, clock)
    phone_numbers = PhoneNumbers(pool, keyring, messages, text_messages, log, clock)
    accounts = Accounts(pool, passwords, proofs, tokens, log, clock)
    email_changes = EmailChanges(pool, keyring, tokens, messages, log, clock)
    email_undos = EmailUndos(pool, keyring, passwords, factors, realms, log, clock)
    approvers = Approvers(pool, keyring, realms, clock)
    approvals = Approvals(pool, keyring, realms, messages, clock, wakes=hook.configured)
    approval_watch = ApprovalWatch(pool, approvers, approvals.open, clock)
    enrolling = Enrolling(pool, keyring, engine, sending, approvers, clock)
    first_proofs = FirstProofs(pool, keyring, engine, clock)
    enrollments = Enrollments(pool, enrolling, first_proofs, proofs, tokens, log, clock)
    owed = OwedEnrollments(pool, keyring, enrolling, first_proofs, realms, tokens, messages, log, clock)
    two_factor = TwoFactor(pool, keyring, engine, proofs, tokens, log, clock)
    step_ups = StepUps(pool, keyring, proofs, factors, realms, tokens, clock)

    hints = SignInHints(pool, keyring, messages, captchas, clock)
    resets = PasswordResets(pool, keyring, passwords, realms, tokens, messages, log, captchas, clock)
    gate = PasswordGate(pool, keyring, passwords, tokens, clock)
    effects = RecoveryEffects(pool, keyring, realms, log, clock)
    recoveries = TwoFactorRecoveries(pool, keyring, gate, realms, messages, log, effects, captchas, clock)
    recovery_codes = RecoveryCodes(pool, keyring, realms, tokens, sending, effects, clock)
    cases = Cases(pool, keyring, realms, messages, text_messages, log, clock)
    case_execution = CaseExecution(pool, keyring, log, clock)
    support = Support(pool, keyring, realms, messages, log, clock)

    templates = Templates(settings.mail_templates_directory)
    letters = Letters(pool, messages, templates, settings.mail_from, clock, RealmTexts(pool, clock).get)
    outbox = OutboxWorker(pool, letters=letters, realms=realms.get, mail=mail, sms=sms, hook=hook, clock=clock)

    servicers = (
        AccountServicer(
            realms, sign_ups, sign_ins, passkeys, accounts, phone_numbers, pages, email_changes, email_undos
        ),
        TwoFactorServicer(
            realms,
            enrollments,
            owed,
            two_factor,
            challenges,
            step_ups,
            Devices(pool, clock),
            pages,
            approvers=approvers,
            approvals=approvals,
            watch=approval_watch,
            clock=clock,
        ),
        SessionServicer(realms, sessions, step_ups, revocations, pages, clock),
        RecoveryServicer(realms, resets, recoveries, recovery_codes, effects, captchas, hints),
        SupportServicer(realms, support, cases, case_execution, CaseLinks(pool, realms, log, clock), pages),
    )
    contract = {servicer.SERVICE: servicer for servicer in servicers}
    return Services(
        callers,
        realms,
        approvers,
        approval_watch,
        sessions,
        CheckedTokens(realms, signing_keys, revocations, clock),
        signing_keys,
        revocations,
        captchas,
        outbox,
        effects,
        contract,
        jobs={
            "outbox": outbox.run,
            "retention": Retention(pool, clock).run,
            "recoveries": PendingRecoveries(effects).run,
            "cases": CaseExpiry(cases).run,
            "revocations": revocations.run,
            "approvals": approval_watch.run,
        },
    )
