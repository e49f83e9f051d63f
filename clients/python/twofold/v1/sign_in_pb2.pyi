from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FactorKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FACTOR_KIND_UNSPECIFIED: _ClassVar[FactorKind]
    FACTOR_KIND_TOTP: _ClassVar[FactorKind]
    FACTOR_KIND_BACKUP_CODE: _ClassVar[FactorKind]
    FACTOR_KIND_EMAIL: _ClassVar[FactorKind]
    FACTOR_KIND_SMS: _ClassVar[FactorKind]
    FACTOR_KIND_PASSKEY: _ClassVar[FactorKind]
    FACTOR_KIND_PUSH: _ClassVar[FactorKind]

class DeliveryState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_STATE_UNSPECIFIED: _ClassVar[DeliveryState]
    DELIVERY_STATE_WAITING: _ClassVar[DeliveryState]
    DELIVERY_STATE_SENT: _ClassVar[DeliveryState]
    DELIVERY_STATE_EXPIRED: _ClassVar[DeliveryState]
    DELIVERY_STATE_REFUSED: _ClassVar[DeliveryState]

class DeliveryReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_REASON_UNSPECIFIED: _ClassVar[DeliveryReason]
    DELIVERY_REASON_OVER_BUDGET: _ClassVar[DeliveryReason]
    DELIVERY_REASON_SPEND_CAP: _ClassVar[DeliveryReason]
    DELIVERY_REASON_COUNTRY_NOT_SERVED: _ClassVar[DeliveryReason]
    DELIVERY_REASON_PROVIDER_REFUSED: _ClassVar[DeliveryReason]
    DELIVERY_REASON_ADDRESS_UNREACHABLE: _ClassVar[DeliveryReason]
    DELIVERY_REASON_CHANNEL_NOT_CONFIGURED: _ClassVar[DeliveryReason]
    DELIVERY_REASON_FAILED: _ClassVar[DeliveryReason]
FACTOR_KIND_UNSPECIFIED: FactorKind
FACTOR_KIND_TOTP: FactorKind
FACTOR_KIND_BACKUP_CODE: FactorKind
FACTOR_KIND_EMAIL: FactorKind
FACTOR_KIND_SMS: FactorKind
FACTOR_KIND_PASSKEY: FactorKind
FACTOR_KIND_PUSH: FactorKind
DELIVERY_STATE_UNSPECIFIED: DeliveryState
DELIVERY_STATE_WAITING: DeliveryState
DELIVERY_STATE_SENT: DeliveryState
DELIVERY_STATE_EXPIRED: DeliveryState
DELIVERY_STATE_REFUSED: DeliveryState
DELIVERY_REASON_UNSPECIFIED: DeliveryReason
DELIVERY_REASON_OVER_BUDGET: DeliveryReason
DELIVERY_REASON_SPEND_CAP: DeliveryReason
DELIVERY_REASON_COUNTRY_NOT_SERVED: DeliveryReason
DELIVERY_REASON_PROVIDER_REFUSED: DeliveryReason
DELIVERY_REASON_ADDRESS_UNREACHABLE: DeliveryReason
DELIVERY_REASON_CHANNEL_NOT_CONFIGURED: DeliveryReason
DELIVERY_REASON_FAILED: DeliveryReason

class ClientContext(_message.Message):
    __slots__ = ("ip_address", "user_agent", "device_token", "language_code", "captcha")
    IP_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    CAPTCHA_FIELD_NUMBER: _ClassVar[int]
    ip_address: str
    user_agent: str
    device_token: str
    language_code: str
    captcha: str
    def __init__(self, ip_address: _Optional[str] = ..., user_agent: _Optional[str] = ..., device_token: _Optional[str] = ..., language_code: _Optional[str] = ..., captcha: _Optional[str] = ...) -> None: ...

class PushProof(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SecondFactor(_message.Message):
    __slots__ = ("totp_code", "backup_code", "email_code", "sms_code", "passkey_assertion", "push")
    TOTP_CODE_FIELD_NUMBER: _ClassVar[int]
    BACKUP_CODE_FIELD_NUMBER: _ClassVar[int]
    EMAIL_CODE_FIELD_NUMBER: _ClassVar[int]
    SMS_CODE_FIELD_NUMBER: _ClassVar[int]
    PASSKEY_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    PUSH_FIELD_NUMBER: _ClassVar[int]
    totp_code: str
    backup_code: str
    email_code: str
    sms_code: str
    passkey_assertion: str
    push: PushProof
    def __init__(self, totp_code: _Optional[str] = ..., backup_code: _Optional[str] = ..., email_code: _Optional[str] = ..., sms_code: _Optional[str] = ..., passkey_assertion: _Optional[str] = ..., push: _Optional[_Union[PushProof, _Mapping]] = ...) -> None: ...

class Reauthentication(_message.Message):
    __slots__ = ("password",)
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    password: str
    def __init__(self, password: _Optional[str] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("session_id", "account_id", "realm_id", "auth_time", "second_factor_time", "aal", "amr", "create_time", "refresh_time", "expire_time", "ip_address", "user_agent", "current", "client_id")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    AUTH_TIME_FIELD_NUMBER: _ClassVar[int]
    SECOND_FACTOR_TIME_FIELD_NUMBER: _ClassVar[int]
    AAL_FIELD_NUMBER: _ClassVar[int]
    AMR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    IP_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    account_id: str
    realm_id: str
    auth_time: _timestamp_pb2.Timestamp
    second_factor_time: _timestamp_pb2.Timestamp
    aal: int
    amr: _containers.RepeatedScalarFieldContainer[str]
    create_time: _timestamp_pb2.Timestamp
    refresh_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    ip_address: str
    user_agent: str
    current: bool
    client_id: str
    def __init__(self, session_id: _Optional[str] = ..., account_id: _Optional[str] = ..., realm_id: _Optional[str] = ..., auth_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., second_factor_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., aal: _Optional[int] = ..., amr: _Optional[_Iterable[str]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., refresh_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., ip_address: _Optional[str] = ..., user_agent: _Optional[str] = ..., current: bool = ..., client_id: _Optional[str] = ...) -> None: ...

class SessionTokens(_message.Message):
    __slots__ = ("access_token", "access_token_expire_time", "refresh_token")
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ACCESS_TOKEN_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    access_token: str
    access_token_expire_time: _timestamp_pb2.Timestamp
    refresh_token: str
    def __init__(self, access_token: _Optional[str] = ..., access_token_expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., refresh_token: _Optional[str] = ...) -> None: ...

class SignedIn(_message.Message):
    __slots__ = ("session", "tokens", "device_token", "enrollment_advised")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ENROLLMENT_ADVISED_FIELD_NUMBER: _ClassVar[int]
    session: Session
    tokens: SessionTokens
    device_token: str
    enrollment_advised: bool
    def __init__(self, session: _Optional[_Union[Session, _Mapping]] = ..., tokens: _Optional[_Union[SessionTokens, _Mapping]] = ..., device_token: _Optional[str] = ..., enrollment_advised: bool = ...) -> None: ...

class SecondFactorChallenge(_message.Message):
    __slots__ = ("challenge_token", "challenge_binding", "expire_time", "kinds")
    CHALLENGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_BINDING_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    challenge_token: str
    challenge_binding: str
    expire_time: _timestamp_pb2.Timestamp
    kinds: _containers.RepeatedScalarFieldContainer[FactorKind]
    def __init__(self, challenge_token: _Optional[str] = ..., challenge_binding: _Optional[str] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., kinds: _Optional[_Iterable[_Union[FactorKind, str]]] = ...) -> None: ...

class OfferedKind(_message.Message):
    __slots__ = ("kind", "restricted")
    KIND_FIELD_NUMBER: _ClassVar[int]
    RESTRICTED_FIELD_NUMBER: _ClassVar[int]
    kind: FactorKind
    restricted: bool
    def __init__(self, kind: _Optional[_Union[FactorKind, str]] = ..., restricted: bool = ...) -> None: ...

class EnrollmentRequired(_message.Message):
    __slots__ = ("owed_enrollment_token", "owed_enrollment_binding", "expire_time", "offered_kinds", "support_code_required")
    OWED_ENROLLMENT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    OWED_ENROLLMENT_BINDING_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    OFFERED_KINDS_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_CODE_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    owed_enrollment_token: str
    owed_enrollment_binding: str
    expire_time: _timestamp_pb2.Timestamp
    offered_kinds: _containers.RepeatedCompositeFieldContainer[OfferedKind]
    support_code_required: bool
    def __init__(self, owed_enrollment_token: _Optional[str] = ..., owed_enrollment_binding: _Optional[str] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., offered_kinds: _Optional[_Iterable[_Union[OfferedKind, _Mapping]]] = ..., support_code_required: bool = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("state", "reason", "resend_time")
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RESEND_TIME_FIELD_NUMBER: _ClassVar[int]
    state: DeliveryState
    reason: DeliveryReason
    resend_time: _timestamp_pb2.Timestamp
    def __init__(self, state: _Optional[_Union[DeliveryState, str]] = ..., reason: _Optional[_Union[DeliveryReason, str]] = ..., resend_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
