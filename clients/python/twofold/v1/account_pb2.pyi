from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from twofold.v1 import access_pb2 as _access_pb2
from twofold.v1 import sign_in_pb2 as _sign_in_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SignInResult(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIGN_IN_RESULT_UNSPECIFIED: _ClassVar[SignInResult]
    SIGN_IN_RESULT_SIGNED_IN: _ClassVar[SignInResult]
    SIGN_IN_RESULT_CHALLENGED: _ClassVar[SignInResult]
    SIGN_IN_RESULT_WRONG_PASSWORD: _ClassVar[SignInResult]
    SIGN_IN_RESULT_WRONG_SECOND_FACTOR: _ClassVar[SignInResult]
    SIGN_IN_RESULT_ENROLLMENT_REQUIRED: _ClassVar[SignInResult]
SIGN_IN_RESULT_UNSPECIFIED: SignInResult
SIGN_IN_RESULT_SIGNED_IN: SignInResult
SIGN_IN_RESULT_CHALLENGED: SignInResult
SIGN_IN_RESULT_WRONG_PASSWORD: SignInResult
SIGN_IN_RESULT_WRONG_SECOND_FACTOR: SignInResult
SIGN_IN_RESULT_ENROLLMENT_REQUIRED: SignInResult

class Account(_message.Message):
    __slots__ = ("account_id", "realm_id", "email", "display_name", "language_code", "create_time", "update_time", "phone_number", "phone_number_verify_time")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    PHONE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    PHONE_NUMBER_VERIFY_TIME_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    realm_id: str
    email: str
    display_name: str
    language_code: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    phone_number: str
    phone_number_verify_time: _timestamp_pb2.Timestamp
    def __init__(self, account_id: _Optional[str] = ..., realm_id: _Optional[str] = ..., email: _Optional[str] = ..., display_name: _Optional[str] = ..., language_code: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., phone_number: _Optional[str] = ..., phone_number_verify_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PasswordAdvice(_message.Message):
    __slots__ = ("score", "warning", "suggestions")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    SUGGESTIONS_FIELD_NUMBER: _ClassVar[int]
    score: int
    warning: str
    suggestions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, score: _Optional[int] = ..., warning: _Optional[str] = ..., suggestions: _Optional[_Iterable[str]] = ...) -> None: ...

class SignUpRequest(_message.Message):
    __slots__ = ("realm_id", "email", "password", "display_name", "language_code", "client")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    email: str
    password: str
    display_name: str
    language_code: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, realm_id: _Optional[str] = ..., email: _Optional[str] = ..., password: _Optional[str] = ..., display_name: _Optional[str] = ..., language_code: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class SignUpResponse(_message.Message):
    __slots__ = ("sign_up_binding", "resend_time", "password_advice")
    SIGN_UP_BINDING_FIELD_NUMBER: _ClassVar[int]
    RESEND_TIME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_ADVICE_FIELD_NUMBER: _ClassVar[int]
    sign_up_binding: str
    resend_time: _timestamp_pb2.Timestamp
    password_advice: PasswordAdvice
    def __init__(self, sign_up_binding: _Optional[str] = ..., resend_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., password_advice: _Optional[_Union[PasswordAdvice, _Mapping]] = ...) -> None: ...

class ResendActivationRequest(_message.Message):
    __slots__ = ("realm_id", "email", "sign_up_binding", "client")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    SIGN_UP_BINDING_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    email: str
    sign_up_binding: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, realm_id: _Optional[str] = ..., email: _Optional[str] = ..., sign_up_binding: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class ResendActivationResponse(_message.Message):
    __slots__ = ("resend_time",)
    RESEND_TIME_FIELD_NUMBER: _ClassVar[int]
    resend_time: _timestamp_pb2.Timestamp
    def __init__(self, resend_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ActivateAccountRequest(_message.Message):
    __slots__ = ("activation_token", "sign_up_binding", "password", "new_password", "client")
    ACTIVATION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SIGN_UP_BINDING_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    NEW_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    activation_token: str
    sign_up_binding: str
    password: str
    new_password: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, activation_token: _Optional[str] = ..., sign_up_binding: _Optional[str] = ..., password: _Optional[str] = ..., new_password: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class ActivateAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: Account
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ...) -> None: ...

class PasskeyBegin(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PasskeySignIn(_message.Message):
    __slots__ = ("passkey_token", "passkey_binding", "expire_time", "request_options_json")
    PASSKEY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PASSKEY_BINDING_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_OPTIONS_JSON_FIELD_NUMBER: _ClassVar[int]
    passkey_token: str
    passkey_binding: str
    expire_time: _timestamp_pb2.Timestamp
    request_options_json: str
    def __init__(self, passkey_token: _Optional[str] = ..., passkey_binding: _Optional[str] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., request_options_json: _Optional[str] = ...) -> None: ...

class PasskeyAssertion(_message.Message):
    __slots__ = ("passkey_token", "passkey_binding", "credential_json")
    PASSKEY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PASSKEY_BINDING_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_JSON_FIELD_NUMBER: _ClassVar[int]
    passkey_token: str
    passkey_binding: str
    credential_json: str
    def __init__(self, passkey_token: _Optional[str] = ..., passkey_binding: _Optional[str] = ..., credential_json: _Optional[str] = ...) -> None: ...

class SignInRequest(_message.Message):
    __slots__ = ("realm_id", "email", "password", "passkey_begin", "passkey_assertion", "second_factor", "audience", "client", "trust_device")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    PASSKEY_BEGIN_FIELD_NUMBER: _ClassVar[int]
    PASSKEY_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    SECOND_FACTOR_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    TRUST_DEVICE_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    email: str
    password: str
    passkey_begin: PasskeyBegin
    passkey_assertion: PasskeyAssertion
    second_factor: _sign_in_pb2.SecondFactor
    audience: str
    client: _sign_in_pb2.ClientContext
    trust_device: bool
    def __init__(self, realm_id: _Optional[str] = ..., email: _Optional[str] = ..., password: _Optional[str] = ..., passkey_begin: _Optional[_Union[PasskeyBegin, _Mapping]] = ..., passkey_assertion: _Optional[_Union[PasskeyAssertion, _Mapping]] = ..., second_factor: _Optional[_Union[_sign_in_pb2.SecondFactor, _Mapping]] = ..., audience: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ..., trust_device: bool = ...) -> None: ...

class SignInResponse(_message.Message):
    __slots__ = ("signed_in", "challenge", "enrollment_required", "passkey_sign_in")
    SIGNED_IN_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    ENROLLMENT_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    PASSKEY_SIGN_IN_FIELD_NUMBER: _ClassVar[int]
    signed_in: _sign_in_pb2.SignedIn
    challenge: _sign_in_pb2.SecondFactorChallenge
    enrollment_required: _sign_in_pb2.EnrollmentRequired
    passkey_sign_in: PasskeySignIn
    def __init__(self, signed_in: _Optional[_Union[_sign_in_pb2.SignedIn, _Mapping]] = ..., challenge: _Optional[_Union[_sign_in_pb2.SecondFactorChallenge, _Mapping]] = ..., enrollment_required: _Optional[_Union[_sign_in_pb2.EnrollmentRequired, _Mapping]] = ..., passkey_sign_in: _Optional[_Union[PasskeySignIn, _Mapping]] = ...) -> None: ...

class GetAccountRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: Account
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ...) -> None: ...

class UpdateAccountRequest(_message.Message):
    __slots__ = ("account", "update_mask")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    account: Account
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: Account
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ...) -> None: ...

class ChangePasswordRequest(_message.Message):
    __slots__ = ("reauthentication", "new_password", "client")
    REAUTHENTICATION_FIELD_NUMBER: _ClassVar[int]
    NEW_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    reauthentication: _sign_in_pb2.Reauthentication
    new_password: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, reauthentication: _Optional[_Union[_sign_in_pb2.Reauthentication, _Mapping]] = ..., new_password: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class ChangePasswordResponse(_message.Message):
    __slots__ = ("session", "tokens", "password_advice")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_ADVICE_FIELD_NUMBER: _ClassVar[int]
    session: _sign_in_pb2.Session
    tokens: _sign_in_pb2.SessionTokens
    password_advice: PasswordAdvice
    def __init__(self, session: _Optional[_Union[_sign_in_pb2.Session, _Mapping]] = ..., tokens: _Optional[_Union[_sign_in_pb2.SessionTokens, _Mapping]] = ..., password_advice: _Optional[_Union[PasswordAdvice, _Mapping]] = ...) -> None: ...

class ChangeEmailRequest(_message.Message):
    __slots__ = ("new_email", "client")
    NEW_EMAIL_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    new_email: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, new_email: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class ChangeEmailResponse(_message.Message):
    __slots__ = ("expire_time", "resend_time")
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    RESEND_TIME_FIELD_NUMBER: _ClassVar[int]
    expire_time: _timestamp_pb2.Timestamp
    resend_time: _timestamp_pb2.Timestamp
    def __init__(self, expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., resend_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ConfirmEmailChangeRequest(_message.Message):
    __slots__ = ("email_change_token", "client")
    EMAIL_CHANGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    email_change_token: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, email_change_token: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class ConfirmEmailChangeResponse(_message.Message):
    __slots__ = ("account", "session", "tokens")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    account: Account
    session: _sign_in_pb2.Session
    tokens: _sign_in_pb2.SessionTokens
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ..., session: _Optional[_Union[_sign_in_pb2.Session, _Mapping]] = ..., tokens: _Optional[_Union[_sign_in_pb2.SessionTokens, _Mapping]] = ...) -> None: ...

class WithoutProof(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UndoEmailChangeRequest(_message.Message):
    __slots__ = ("undo_token", "without_proof", "password", "second_factor", "client")
    UNDO_TOKEN_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_PROOF_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    SECOND_FACTOR_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    undo_token: str
    without_proof: WithoutProof
    password: str
    second_factor: _sign_in_pb2.SecondFactor
    client: _sign_in_pb2.ClientContext
    def __init__(self, undo_token: _Optional[str] = ..., without_proof: _Optional[_Union[WithoutProof, _Mapping]] = ..., password: _Optional[str] = ..., second_factor: _Optional[_Union[_sign_in_pb2.SecondFactor, _Mapping]] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class UndoEmailChangeResponse(_message.Message):
    __slots__ = ("email_restored", "changes_frozen_until")
    EMAIL_RESTORED_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FROZEN_UNTIL_FIELD_NUMBER: _ClassVar[int]
    email_restored: bool
    changes_frozen_until: _timestamp_pb2.Timestamp
    def __init__(self, email_restored: bool = ..., changes_frozen_until: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ChangePhoneNumberRequest(_message.Message):
    __slots__ = ("phone_number", "client")
    PHONE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    phone_number: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, phone_number: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class ChangePhoneNumberResponse(_message.Message):
    __slots__ = ("phone_number_token", "expire_time", "masked_phone_number", "delivery")
    PHONE_NUMBER_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    MASKED_PHONE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    phone_number_token: str
    expire_time: _timestamp_pb2.Timestamp
    masked_phone_number: str
    delivery: _sign_in_pb2.Delivery
    def __init__(self, phone_number_token: _Optional[str] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., masked_phone_number: _Optional[str] = ..., delivery: _Optional[_Union[_sign_in_pb2.Delivery, _Mapping]] = ...) -> None: ...

class ConfirmPhoneNumberRequest(_message.Message):
    __slots__ = ("phone_number_token", "code", "client")
    PHONE_NUMBER_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    phone_number_token: str
    code: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, phone_number_token: _Optional[str] = ..., code: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class ConfirmPhoneNumberResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: Account
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ...) -> None: ...

class DeleteAccountRequest(_message.Message):
    __slots__ = ("reauthentication", "second_factor", "client")
    REAUTHENTICATION_FIELD_NUMBER: _ClassVar[int]
    SECOND_FACTOR_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    reauthentication: _sign_in_pb2.Reauthentication
    second_factor: _sign_in_pb2.SecondFactor
    client: _sign_in_pb2.ClientContext
    def __init__(self, reauthentication: _Optional[_Union[_sign_in_pb2.Reauthentication, _Mapping]] = ..., second_factor: _Optional[_Union[_sign_in_pb2.SecondFactor, _Mapping]] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class DeleteAccountResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SignIn(_message.Message):
    __slots__ = ("sign_in_id", "create_time", "result", "two_factor_verified", "factor_kind", "session_id", "ip_address", "user_agent", "known_device", "client_id")
    SIGN_IN_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    TWO_FACTOR_VERIFIED_FIELD_NUMBER: _ClassVar[int]
    FACTOR_KIND_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    IP_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    KNOWN_DEVICE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    sign_in_id: str
    create_time: _timestamp_pb2.Timestamp
    result: SignInResult
    two_factor_verified: bool
    factor_kind: _sign_in_pb2.FactorKind
    session_id: str
    ip_address: str
    user_agent: str
    known_device: bool
    client_id: str
    def __init__(self, sign_in_id: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., result: _Optional[_Union[SignInResult, str]] = ..., two_factor_verified: bool = ..., factor_kind: _Optional[_Union[_sign_in_pb2.FactorKind, str]] = ..., session_id: _Optional[str] = ..., ip_address: _Optional[str] = ..., user_agent: _Optional[str] = ..., known_device: bool = ..., client_id: _Optional[str] = ...) -> None: ...

class ListSignInsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSignInsResponse(_message.Message):
    __slots__ = ("sign_ins", "next_page_token")
    SIGN_INS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    sign_ins: _containers.RepeatedCompositeFieldContainer[SignIn]
    next_page_token: str
    def __init__(self, sign_ins: _Optional[_Iterable[_Union[SignIn, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
