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

class ApprovalState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPROVAL_STATE_UNSPECIFIED: _ClassVar[ApprovalState]
    APPROVAL_STATE_OPEN: _ClassVar[ApprovalState]
    APPROVAL_STATE_APPROVED: _ClassVar[ApprovalState]
    APPROVAL_STATE_DENIED: _ClassVar[ApprovalState]
    APPROVAL_STATE_NOT_ME: _ClassVar[ApprovalState]
    APPROVAL_STATE_WRONG_NUMBER: _ClassVar[ApprovalState]
    APPROVAL_STATE_EXPIRED: _ClassVar[ApprovalState]
    APPROVAL_STATE_WITHDRAWN: _ClassVar[ApprovalState]

class ApprovalDecision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPROVAL_DECISION_UNSPECIFIED: _ClassVar[ApprovalDecision]
    APPROVAL_DECISION_APPROVE: _ClassVar[ApprovalDecision]
    APPROVAL_DECISION_DENY: _ClassVar[ApprovalDecision]
    APPROVAL_DECISION_NOT_ME: _ClassVar[ApprovalDecision]
APPROVAL_STATE_UNSPECIFIED: ApprovalState
APPROVAL_STATE_OPEN: ApprovalState
APPROVAL_STATE_APPROVED: ApprovalState
APPROVAL_STATE_DENIED: ApprovalState
APPROVAL_STATE_NOT_ME: ApprovalState
APPROVAL_STATE_WRONG_NUMBER: ApprovalState
APPROVAL_STATE_EXPIRED: ApprovalState
APPROVAL_STATE_WITHDRAWN: ApprovalState
APPROVAL_DECISION_UNSPECIFIED: ApprovalDecision
APPROVAL_DECISION_APPROVE: ApprovalDecision
APPROVAL_DECISION_DENY: ApprovalDecision
APPROVAL_DECISION_NOT_ME: ApprovalDecision

class Device(_message.Message):
    __slots__ = ("device_id", "create_time", "last_use_time", "trust_expire_time", "ip_address", "user_agent", "current")
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_USE_TIME_FIELD_NUMBER: _ClassVar[int]
    TRUST_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    IP_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    create_time: _timestamp_pb2.Timestamp
    last_use_time: _timestamp_pb2.Timestamp
    trust_expire_time: _timestamp_pb2.Timestamp
    ip_address: str
    user_agent: str
    current: bool
    def __init__(self, device_id: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., last_use_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., trust_expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., ip_address: _Optional[str] = ..., user_agent: _Optional[str] = ..., current: bool = ...) -> None: ...

class Factor(_message.Message):
    __slots__ = ("factor_id", "kind", "name", "preferred", "create_time", "last_use_time")
    FACTOR_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PREFERRED_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_USE_TIME_FIELD_NUMBER: _ClassVar[int]
    factor_id: str
    kind: _sign_in_pb2.FactorKind
    name: str
    preferred: bool
    create_time: _timestamp_pb2.Timestamp
    last_use_time: _timestamp_pb2.Timestamp
    def __init__(self, factor_id: _Optional[str] = ..., kind: _Optional[_Union[_sign_in_pb2.FactorKind, str]] = ..., name: _Optional[str] = ..., preferred: bool = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., last_use_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BackupCodes(_message.Message):
    __slots__ = ("codes", "text_file", "file_name")
    CODES_FIELD_NUMBER: _ClassVar[int]
    TEXT_FILE_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    codes: _containers.RepeatedScalarFieldContainer[str]
    text_file: str
    file_name: str
    def __init__(self, codes: _Optional[_Iterable[str]] = ..., text_file: _Optional[str] = ..., file_name: _Optional[str] = ...) -> None: ...

class GetTwoFactorStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetTwoFactorStatusResponse(_message.Message):
    __slots__ = ("enabled", "kinds", "backup_codes_remaining", "backup_codes_create_time", "offered_kinds", "can_disable", "factors_advised", "more_factors_advised")
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    BACKUP_CODES_REMAINING_FIELD_NUMBER: _ClassVar[int]
    BACKUP_CODES_CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    OFFERED_KINDS_FIELD_NUMBER: _ClassVar[int]
    CAN_DISABLE_FIELD_NUMBER: _ClassVar[int]
    FACTORS_ADVISED_FIELD_NUMBER: _ClassVar[int]
    MORE_FACTORS_ADVISED_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    kinds: _containers.RepeatedScalarFieldContainer[_sign_in_pb2.FactorKind]
    backup_codes_remaining: int
    backup_codes_create_time: _timestamp_pb2.Timestamp
    offered_kinds: _containers.RepeatedCompositeFieldContainer[_sign_in_pb2.OfferedKind]
    can_disable: bool
    factors_advised: int
    more_factors_advised: bool
    def __init__(self, enabled: bool = ..., kinds: _Optional[_Iterable[_Union[_sign_in_pb2.FactorKind, str]]] = ..., backup_codes_remaining: _Optional[int] = ..., backup_codes_create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., offered_kinds: _Optional[_Iterable[_Union[_sign_in_pb2.OfferedKind, _Mapping]]] = ..., can_disable: bool = ..., factors_advised: _Optional[int] = ..., more_factors_advised: bool = ...) -> None: ...

class TotpEnrollment(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EmailEnrollment(_message.Message):
    __slots__ = ("email",)
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    email: str
    def __init__(self, email: _Optional[str] = ...) -> None: ...

class SmsEnrollment(_message.Message):
    __slots__ = ("phone_number",)
    PHONE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    phone_number: str
    def __init__(self, phone_number: _Optional[str] = ...) -> None: ...

class SmsEnrollmentMaterial(_message.Message):
    __slots__ = ("destination", "delivery", "restricted")
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    RESTRICTED_FIELD_NUMBER: _ClassVar[int]
    destination: str
    delivery: _sign_in_pb2.Delivery
    restricted: bool
    def __init__(self, destination: _Optional[str] = ..., delivery: _Optional[_Union[_sign_in_pb2.Delivery, _Mapping]] = ..., restricted: bool = ...) -> None: ...

class EmailEnrollmentMaterial(_message.Message):
    __slots__ = ("destination", "delivery")
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    destination: str
    delivery: _sign_in_pb2.Delivery
    def __init__(self, destination: _Optional[str] = ..., delivery: _Optional[_Union[_sign_in_pb2.Delivery, _Mapping]] = ...) -> None: ...

class TotpEnrollmentMaterial(_message.Message):
    __slots__ = ("otpauth_url", "qr_code_png", "secret")
    OTPAUTH_URL_FIELD_NUMBER: _ClassVar[int]
    QR_CODE_PNG_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    otpauth_url: str
    qr_code_png: bytes
    secret: str
    def __init__(self, otpauth_url: _Optional[str] = ..., qr_code_png: _Optional[bytes] = ..., secret: _Optional[str] = ...) -> None: ...

class PasskeyEnrollment(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PasskeyEnrollmentMaterial(_message.Message):
    __slots__ = ("creation_options_json",)
    CREATION_OPTIONS_JSON_FIELD_NUMBER: _ClassVar[int]
    creation_options_json: str
    def __init__(self, creation_options_json: _Optional[str] = ...) -> None: ...

class PushEnrollment(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PushEnrollmentMaterial(_message.Message):
    __slots__ = ("pairing_code", "pairing_url", "qr_code_png")
    PAIRING_CODE_FIELD_NUMBER: _ClassVar[int]
    PAIRING_URL_FIELD_NUMBER: _ClassVar[int]
    QR_CODE_PNG_FIELD_NUMBER: _ClassVar[int]
    pairing_code: str
    pairing_url: str
    qr_code_png: bytes
    def __init__(self, pairing_code: _Optional[str] = ..., pairing_url: _Optional[str] = ..., qr_code_png: _Optional[bytes] = ...) -> None: ...

class BeginEnrollmentRequest(_message.Message):
    __slots__ = ("totp", "email", "sms", "passkey", "push", "name", "owed_enrollment_token", "owed_enrollment_binding", "support_code")
    TOTP_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    SMS_FIELD_NUMBER: _ClassVar[int]
    PASSKEY_FIELD_NUMBER: _ClassVar[int]
    PUSH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWED_ENROLLMENT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    OWED_ENROLLMENT_BINDING_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_CODE_FIELD_NUMBER: _ClassVar[int]
    totp: TotpEnrollment
    email: EmailEnrollment
    sms: SmsEnrollment
    passkey: PasskeyEnrollment
    push: PushEnrollment
    name: str
    owed_enrollment_token: str
    owed_enrollment_binding: str
    support_code: str
    def __init__(self, totp: _Optional[_Union[TotpEnrollment, _Mapping]] = ..., email: _Optional[_Union[EmailEnrollment, _Mapping]] = ..., sms: _Optional[_Union[SmsEnrollment, _Mapping]] = ..., passkey: _Optional[_Union[PasskeyEnrollment, _Mapping]] = ..., push: _Optional[_Union[PushEnrollment, _Mapping]] = ..., name: _Optional[str] = ..., owed_enrollment_token: _Optional[str] = ..., owed_enrollment_binding: _Optional[str] = ..., support_code: _Optional[str] = ...) -> None: ...

class BeginEnrollmentResponse(_message.Message):
    __slots__ = ("enrollment_token", "expire_time", "totp", "email", "sms", "passkey", "push")
    ENROLLMENT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    TOTP_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    SMS_FIELD_NUMBER: _ClassVar[int]
    PASSKEY_FIELD_NUMBER: _ClassVar[int]
    PUSH_FIELD_NUMBER: _ClassVar[int]
    enrollment_token: str
    expire_time: _timestamp_pb2.Timestamp
    totp: TotpEnrollmentMaterial
    email: EmailEnrollmentMaterial
    sms: SmsEnrollmentMaterial
    passkey: PasskeyEnrollmentMaterial
    push: PushEnrollmentMaterial
    def __init__(self, enrollment_token: _Optional[str] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., totp: _Optional[_Union[TotpEnrollmentMaterial, _Mapping]] = ..., email: _Optional[_Union[EmailEnrollmentMaterial, _Mapping]] = ..., sms: _Optional[_Union[SmsEnrollmentMaterial, _Mapping]] = ..., passkey: _Optional[_Union[PasskeyEnrollmentMaterial, _Mapping]] = ..., push: _Optional[_Union[PushEnrollmentMaterial, _Mapping]] = ...) -> None: ...

class FinishEnrollmentRequest(_message.Message):
    __slots__ = ("enrollment_token", "totp_code", "email_code", "sms_code", "passkey_credential", "push", "reauthentication", "client", "owed_enrollment_token", "owed_enrollment_binding", "trust_device")
    ENROLLMENT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTP_CODE_FIELD_NUMBER: _ClassVar[int]
    EMAIL_CODE_FIELD_NUMBER: _ClassVar[int]
    SMS_CODE_FIELD_NUMBER: _ClassVar[int]
    PASSKEY_CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    PUSH_FIELD_NUMBER: _ClassVar[int]
    REAUTHENTICATION_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    OWED_ENROLLMENT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    OWED_ENROLLMENT_BINDING_FIELD_NUMBER: _ClassVar[int]
    TRUST_DEVICE_FIELD_NUMBER: _ClassVar[int]
    enrollment_token: str
    totp_code: str
    email_code: str
    sms_code: str
    passkey_credential: str
    push: _sign_in_pb2.PushProof
    reauthentication: _sign_in_pb2.Reauthentication
    client: _sign_in_pb2.ClientContext
    owed_enrollment_token: str
    owed_enrollment_binding: str
    trust_device: bool
    def __init__(self, enrollment_token: _Optional[str] = ..., totp_code: _Optional[str] = ..., email_code: _Optional[str] = ..., sms_code: _Optional[str] = ..., passkey_credential: _Optional[str] = ..., push: _Optional[_Union[_sign_in_pb2.PushProof, _Mapping]] = ..., reauthentication: _Optional[_Union[_sign_in_pb2.Reauthentication, _Mapping]] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ..., owed_enrollment_token: _Optional[str] = ..., owed_enrollment_binding: _Optional[str] = ..., trust_device: bool = ...) -> None: ...

class FinishEnrollmentResponse(_message.Message):
    __slots__ = ("factor", "backup_codes", "signed_in")
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    BACKUP_CODES_FIELD_NUMBER: _ClassVar[int]
    SIGNED_IN_FIELD_NUMBER: _ClassVar[int]
    factor: Factor
    backup_codes: BackupCodes
    signed_in: _sign_in_pb2.SignedIn
    def __init__(self, factor: _Optional[_Union[Factor, _Mapping]] = ..., backup_codes: _Optional[_Union[BackupCodes, _Mapping]] = ..., signed_in: _Optional[_Union[_sign_in_pb2.SignedIn, _Mapping]] = ...) -> None: ...

class ListFactorsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFactorsResponse(_message.Message):
    __slots__ = ("factors", "next_page_token")
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    factors: _containers.RepeatedCompositeFieldContainer[Factor]
    next_page_token: str
    def __init__(self, factors: _Optional[_Iterable[_Union[Factor, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateFactorRequest(_message.Message):
    __slots__ = ("factor", "update_mask")
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    factor: Factor
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, factor: _Optional[_Union[Factor, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateFactorResponse(_message.Message):
    __slots__ = ("factor",)
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    factor: Factor
    def __init__(self, factor: _Optional[_Union[Factor, _Mapping]] = ...) -> None: ...

class RemoveFactorRequest(_message.Message):
    __slots__ = ("factor_id",)
    FACTOR_ID_FIELD_NUMBER: _ClassVar[int]
    factor_id: str
    def __init__(self, factor_id: _Optional[str] = ...) -> None: ...

class RemoveFactorResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DisableTwoFactorRequest(_message.Message):
    __slots__ = ("reauthentication", "second_factor", "client")
    REAUTHENTICATION_FIELD_NUMBER: _ClassVar[int]
    SECOND_FACTOR_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    reauthentication: _sign_in_pb2.Reauthentication
    second_factor: _sign_in_pb2.SecondFactor
    client: _sign_in_pb2.ClientContext
    def __init__(self, reauthentication: _Optional[_Union[_sign_in_pb2.Reauthentication, _Mapping]] = ..., second_factor: _Optional[_Union[_sign_in_pb2.SecondFactor, _Mapping]] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class DisableTwoFactorResponse(_message.Message):
    __slots__ = ("session", "tokens")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    session: _sign_in_pb2.Session
    tokens: _sign_in_pb2.SessionTokens
    def __init__(self, session: _Optional[_Union[_sign_in_pb2.Session, _Mapping]] = ..., tokens: _Optional[_Union[_sign_in_pb2.SessionTokens, _Mapping]] = ...) -> None: ...

class GenerateBackupCodesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GenerateBackupCodesResponse(_message.Message):
    __slots__ = ("backup_codes",)
    BACKUP_CODES_FIELD_NUMBER: _ClassVar[int]
    backup_codes: BackupCodes
    def __init__(self, backup_codes: _Optional[_Union[BackupCodes, _Mapping]] = ...) -> None: ...

class TotpChallenge(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class BackupCodeChallenge(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EmailChallenge(_message.Message):
    __slots__ = ("factor_id",)
    FACTOR_ID_FIELD_NUMBER: _ClassVar[int]
    factor_id: str
    def __init__(self, factor_id: _Optional[str] = ...) -> None: ...

class SmsChallenge(_message.Message):
    __slots__ = ("factor_id",)
    FACTOR_ID_FIELD_NUMBER: _ClassVar[int]
    factor_id: str
    def __init__(self, factor_id: _Optional[str] = ...) -> None: ...

class PasskeyChallenge(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PasskeyChallengeMaterial(_message.Message):
    __slots__ = ("request_options_json",)
    REQUEST_OPTIONS_JSON_FIELD_NUMBER: _ClassVar[int]
    request_options_json: str
    def __init__(self, request_options_json: _Optional[str] = ...) -> None: ...

class PushChallenge(_message.Message):
    __slots__ = ("place",)
    PLACE_FIELD_NUMBER: _ClassVar[int]
    place: str
    def __init__(self, place: _Optional[str] = ...) -> None: ...

class PushChallengeStarted(_message.Message):
    __slots__ = ("number", "expire_time")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    number: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, number: _Optional[str] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class StartChallengeRequest(_message.Message):
    __slots__ = ("challenge_token", "challenge_binding", "totp", "backup_code", "email", "sms", "passkey", "push")
    CHALLENGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_BINDING_FIELD_NUMBER: _ClassVar[int]
    TOTP_FIELD_NUMBER: _ClassVar[int]
    BACKUP_CODE_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    SMS_FIELD_NUMBER: _ClassVar[int]
    PASSKEY_FIELD_NUMBER: _ClassVar[int]
    PUSH_FIELD_NUMBER: _ClassVar[int]
    challenge_token: str
    challenge_binding: str
    totp: TotpChallenge
    backup_code: BackupCodeChallenge
    email: EmailChallenge
    sms: SmsChallenge
    passkey: PasskeyChallenge
    push: PushChallenge
    def __init__(self, challenge_token: _Optional[str] = ..., challenge_binding: _Optional[str] = ..., totp: _Optional[_Union[TotpChallenge, _Mapping]] = ..., backup_code: _Optional[_Union[BackupCodeChallenge, _Mapping]] = ..., email: _Optional[_Union[EmailChallenge, _Mapping]] = ..., sms: _Optional[_Union[SmsChallenge, _Mapping]] = ..., passkey: _Optional[_Union[PasskeyChallenge, _Mapping]] = ..., push: _Optional[_Union[PushChallenge, _Mapping]] = ...) -> None: ...

class StartChallengeResponse(_message.Message):
    __slots__ = ("kind", "expire_time", "destination", "code_expire_time", "delivery", "passkey", "push")
    KIND_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    CODE_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    PASSKEY_FIELD_NUMBER: _ClassVar[int]
    PUSH_FIELD_NUMBER: _ClassVar[int]
    kind: _sign_in_pb2.FactorKind
    expire_time: _timestamp_pb2.Timestamp
    destination: str
    code_expire_time: _timestamp_pb2.Timestamp
    delivery: _sign_in_pb2.Delivery
    passkey: PasskeyChallengeMaterial
    push: PushChallengeStarted
    def __init__(self, kind: _Optional[_Union[_sign_in_pb2.FactorKind, str]] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., destination: _Optional[str] = ..., code_expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., delivery: _Optional[_Union[_sign_in_pb2.Delivery, _Mapping]] = ..., passkey: _Optional[_Union[PasskeyChallengeMaterial, _Mapping]] = ..., push: _Optional[_Union[PushChallengeStarted, _Mapping]] = ...) -> None: ...

class FinishChallengeRequest(_message.Message):
    __slots__ = ("challenge_token", "challenge_binding", "second_factor", "refresh_token", "client", "trust_device")
    CHALLENGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_BINDING_FIELD_NUMBER: _ClassVar[int]
    SECOND_FACTOR_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    TRUST_DEVICE_FIELD_NUMBER: _ClassVar[int]
    challenge_token: str
    challenge_binding: str
    second_factor: _sign_in_pb2.SecondFactor
    refresh_token: str
    client: _sign_in_pb2.ClientContext
    trust_device: bool
    def __init__(self, challenge_token: _Optional[str] = ..., challenge_binding: _Optional[str] = ..., second_factor: _Optional[_Union[_sign_in_pb2.SecondFactor, _Mapping]] = ..., refresh_token: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ..., trust_device: bool = ...) -> None: ...

class FinishChallengeResponse(_message.Message):
    __slots__ = ("signed_in",)
    SIGNED_IN_FIELD_NUMBER: _ClassVar[int]
    signed_in: _sign_in_pb2.SignedIn
    def __init__(self, signed_in: _Optional[_Union[_sign_in_pb2.SignedIn, _Mapping]] = ...) -> None: ...

class ListDevicesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDevicesResponse(_message.Message):
    __slots__ = ("devices", "next_page_token")
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    devices: _containers.RepeatedCompositeFieldContainer[Device]
    next_page_token: str
    def __init__(self, devices: _Optional[_Iterable[_Union[Device, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RevokeDeviceRequest(_message.Message):
    __slots__ = ("device_id",)
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    def __init__(self, device_id: _Optional[str] = ...) -> None: ...

class RevokeDeviceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchChallengeRequest(_message.Message):
    __slots__ = ("challenge_token", "challenge_binding")
    CHALLENGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_BINDING_FIELD_NUMBER: _ClassVar[int]
    challenge_token: str
    challenge_binding: str
    def __init__(self, challenge_token: _Optional[str] = ..., challenge_binding: _Optional[str] = ...) -> None: ...

class WatchChallengeResponse(_message.Message):
    __slots__ = ("state", "expire_time")
    STATE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    state: ApprovalState
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, state: _Optional[_Union[ApprovalState, str]] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PairApproverRequest(_message.Message):
    __slots__ = ("pairing_code", "public_key", "signature", "name", "wake_up_token")
    PAIRING_CODE_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    WAKE_UP_TOKEN_FIELD_NUMBER: _ClassVar[int]
    pairing_code: str
    public_key: bytes
    signature: bytes
    name: str
    wake_up_token: str
    def __init__(self, pairing_code: _Optional[str] = ..., public_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., name: _Optional[str] = ..., wake_up_token: _Optional[str] = ...) -> None: ...

class PairApproverResponse(_message.Message):
    __slots__ = ("approver_id", "realm_id", "realm_display_name", "account_email", "algorithm")
    APPROVER_ID_FIELD_NUMBER: _ClassVar[int]
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    REALM_DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_EMAIL_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    approver_id: str
    realm_id: str
    realm_display_name: str
    account_email: str
    algorithm: str
    def __init__(self, approver_id: _Optional[str] = ..., realm_id: _Optional[str] = ..., realm_display_name: _Optional[str] = ..., account_email: _Optional[str] = ..., algorithm: _Optional[str] = ...) -> None: ...

class WatchApprovalsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ApprovalRequest(_message.Message):
    __slots__ = ("request_id", "realm_display_name", "place", "browser", "ip_address", "digits", "step_up", "create_time", "expire_time")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REALM_DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    BROWSER_FIELD_NUMBER: _ClassVar[int]
    IP_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DIGITS_FIELD_NUMBER: _ClassVar[int]
    STEP_UP_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    realm_display_name: str
    place: str
    browser: str
    ip_address: str
    digits: int
    step_up: bool
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, request_id: _Optional[str] = ..., realm_display_name: _Optional[str] = ..., place: _Optional[str] = ..., browser: _Optional[str] = ..., ip_address: _Optional[str] = ..., digits: _Optional[int] = ..., step_up: bool = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EndedApproval(_message.Message):
    __slots__ = ("request_id", "state")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    state: ApprovalState
    def __init__(self, request_id: _Optional[str] = ..., state: _Optional[_Union[ApprovalState, str]] = ...) -> None: ...

class WatchApprovalsResponse(_message.Message):
    __slots__ = ("opened", "ended", "server_time")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    opened: _containers.RepeatedCompositeFieldContainer[ApprovalRequest]
    ended: _containers.RepeatedCompositeFieldContainer[EndedApproval]
    server_time: _timestamp_pb2.Timestamp
    def __init__(self, opened: _Optional[_Iterable[_Union[ApprovalRequest, _Mapping]]] = ..., ended: _Optional[_Iterable[_Union[EndedApproval, _Mapping]]] = ..., server_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AnswerApprovalRequest(_message.Message):
    __slots__ = ("request_id", "decision", "number", "signature")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    decision: ApprovalDecision
    number: str
    signature: bytes
    def __init__(self, request_id: _Optional[str] = ..., decision: _Optional[_Union[ApprovalDecision, str]] = ..., number: _Optional[str] = ..., signature: _Optional[bytes] = ...) -> None: ...

class AnswerApprovalResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: ApprovalState
    def __init__(self, state: _Optional[_Union[ApprovalState, str]] = ...) -> None: ...
