from google.protobuf import timestamp_pb2 as _timestamp_pb2
from twofold.v1 import access_pb2 as _access_pb2
from twofold.v1 import sign_in_pb2 as _sign_in_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AccountState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCOUNT_STATE_UNSPECIFIED: _ClassVar[AccountState]
    ACCOUNT_STATE_ACTIVE: _ClassVar[AccountState]
    ACCOUNT_STATE_LOCKED: _ClassVar[AccountState]

class CaseState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CASE_STATE_UNSPECIFIED: _ClassVar[CaseState]
    CASE_STATE_OPEN: _ClassVar[CaseState]
    CASE_STATE_APPROVED: _ClassVar[CaseState]
    CASE_STATE_REJECTED: _ClassVar[CaseState]
    CASE_STATE_CANCELLED: _ClassVar[CaseState]
    CASE_STATE_EXECUTED: _ClassVar[CaseState]
    CASE_STATE_EXPIRED: _ClassVar[CaseState]

class DeliveryChannel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_CHANNEL_UNSPECIFIED: _ClassVar[DeliveryChannel]
    DELIVERY_CHANNEL_EMAIL: _ClassVar[DeliveryChannel]
    DELIVERY_CHANNEL_SMS: _ClassVar[DeliveryChannel]
    DELIVERY_CHANNEL_PUSH: _ClassVar[DeliveryChannel]
ACCOUNT_STATE_UNSPECIFIED: AccountState
ACCOUNT_STATE_ACTIVE: AccountState
ACCOUNT_STATE_LOCKED: AccountState
CASE_STATE_UNSPECIFIED: CaseState
CASE_STATE_OPEN: CaseState
CASE_STATE_APPROVED: CaseState
CASE_STATE_REJECTED: CaseState
CASE_STATE_CANCELLED: CaseState
CASE_STATE_EXECUTED: CaseState
CASE_STATE_EXPIRED: CaseState
DELIVERY_CHANNEL_UNSPECIFIED: DeliveryChannel
DELIVERY_CHANNEL_EMAIL: DeliveryChannel
DELIVERY_CHANNEL_SMS: DeliveryChannel
DELIVERY_CHANNEL_PUSH: DeliveryChannel

class FoundAccount(_message.Message):
    __slots__ = ("account_id", "realm_id", "masked_email", "masked_phone_number", "state", "factor_kinds", "create_time", "open_case_id")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    MASKED_EMAIL_FIELD_NUMBER: _ClassVar[int]
    MASKED_PHONE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FACTOR_KINDS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    OPEN_CASE_ID_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    realm_id: str
    masked_email: str
    masked_phone_number: str
    state: AccountState
    factor_kinds: _containers.RepeatedScalarFieldContainer[_sign_in_pb2.FactorKind]
    create_time: _timestamp_pb2.Timestamp
    open_case_id: str
    def __init__(self, account_id: _Optional[str] = ..., realm_id: _Optional[str] = ..., masked_email: _Optional[str] = ..., masked_phone_number: _Optional[str] = ..., state: _Optional[_Union[AccountState, str]] = ..., factor_kinds: _Optional[_Iterable[_Union[_sign_in_pb2.FactorKind, str]]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., open_case_id: _Optional[str] = ...) -> None: ...

class ResetTwoFactor(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CorrectEmail(_message.Message):
    __slots__ = ("email",)
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    email: str
    def __init__(self, email: _Optional[str] = ...) -> None: ...

class CorrectPhone(_message.Message):
    __slots__ = ("phone_number",)
    PHONE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    phone_number: str
    def __init__(self, phone_number: _Optional[str] = ...) -> None: ...

class Case(_message.Message):
    __slots__ = ("case_id", "realm_id", "account_id", "reset_two_factor", "correct_email", "correct_phone", "state", "reason", "evidence", "owner_unreachable", "opener_id", "approver_id", "create_time", "confirm_time", "approve_time", "wait_end_time", "expire_time", "end_time")
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    RESET_TWO_FACTOR_FIELD_NUMBER: _ClassVar[int]
    CORRECT_EMAIL_FIELD_NUMBER: _ClassVar[int]
    CORRECT_PHONE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    OWNER_UNREACHABLE_FIELD_NUMBER: _ClassVar[int]
    OPENER_ID_FIELD_NUMBER: _ClassVar[int]
    APPROVER_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_TIME_FIELD_NUMBER: _ClassVar[int]
    APPROVE_TIME_FIELD_NUMBER: _ClassVar[int]
    WAIT_END_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    case_id: str
    realm_id: str
    account_id: str
    reset_two_factor: ResetTwoFactor
    correct_email: CorrectEmail
    correct_phone: CorrectPhone
    state: CaseState
    reason: str
    evidence: _containers.RepeatedScalarFieldContainer[str]
    owner_unreachable: bool
    opener_id: str
    approver_id: str
    create_time: _timestamp_pb2.Timestamp
    confirm_time: _timestamp_pb2.Timestamp
    approve_time: _timestamp_pb2.Timestamp
    wait_end_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, case_id: _Optional[str] = ..., realm_id: _Optional[str] = ..., account_id: _Optional[str] = ..., reset_two_factor: _Optional[_Union[ResetTwoFactor, _Mapping]] = ..., correct_email: _Optional[_Union[CorrectEmail, _Mapping]] = ..., correct_phone: _Optional[_Union[CorrectPhone, _Mapping]] = ..., state: _Optional[_Union[CaseState, str]] = ..., reason: _Optional[str] = ..., evidence: _Optional[_Iterable[str]] = ..., owner_unreachable: bool = ..., opener_id: _Optional[str] = ..., approver_id: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., confirm_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., approve_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., wait_end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class FindAccountsRequest(_message.Message):
    __slots__ = ("realm_id", "email", "account_id", "phone_number")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    PHONE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    email: str
    account_id: str
    phone_number: str
    def __init__(self, realm_id: _Optional[str] = ..., email: _Optional[str] = ..., account_id: _Optional[str] = ..., phone_number: _Optional[str] = ...) -> None: ...

class FindAccountsResponse(_message.Message):
    __slots__ = ("accounts",)
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    accounts: _containers.RepeatedCompositeFieldContainer[FoundAccount]
    def __init__(self, accounts: _Optional[_Iterable[_Union[FoundAccount, _Mapping]]] = ...) -> None: ...

class OpenCaseRequest(_message.Message):
    __slots__ = ("request_id", "realm_id", "account_id", "reset_two_factor", "correct_email", "correct_phone", "reason", "evidence", "owner_unreachable")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    RESET_TWO_FACTOR_FIELD_NUMBER: _ClassVar[int]
    CORRECT_EMAIL_FIELD_NUMBER: _ClassVar[int]
    CORRECT_PHONE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    OWNER_UNREACHABLE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    realm_id: str
    account_id: str
    reset_two_factor: ResetTwoFactor
    correct_email: CorrectEmail
    correct_phone: CorrectPhone
    reason: str
    evidence: _containers.RepeatedScalarFieldContainer[str]
    owner_unreachable: bool
    def __init__(self, request_id: _Optional[str] = ..., realm_id: _Optional[str] = ..., account_id: _Optional[str] = ..., reset_two_factor: _Optional[_Union[ResetTwoFactor, _Mapping]] = ..., correct_email: _Optional[_Union[CorrectEmail, _Mapping]] = ..., correct_phone: _Optional[_Union[CorrectPhone, _Mapping]] = ..., reason: _Optional[str] = ..., evidence: _Optional[_Iterable[str]] = ..., owner_unreachable: bool = ...) -> None: ...

class OpenCaseResponse(_message.Message):
    __slots__ = ("case",)
    CASE_FIELD_NUMBER: _ClassVar[int]
    case: Case
    def __init__(self, case: _Optional[_Union[Case, _Mapping]] = ...) -> None: ...

class ApproveCaseRequest(_message.Message):
    __slots__ = ("realm_id", "case_id")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    case_id: str
    def __init__(self, realm_id: _Optional[str] = ..., case_id: _Optional[str] = ...) -> None: ...

class ApproveCaseResponse(_message.Message):
    __slots__ = ("case",)
    CASE_FIELD_NUMBER: _ClassVar[int]
    case: Case
    def __init__(self, case: _Optional[_Union[Case, _Mapping]] = ...) -> None: ...

class RejectCaseRequest(_message.Message):
    __slots__ = ("realm_id", "case_id", "reason")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    case_id: str
    reason: str
    def __init__(self, realm_id: _Optional[str] = ..., case_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RejectCaseResponse(_message.Message):
    __slots__ = ("case",)
    CASE_FIELD_NUMBER: _ClassVar[int]
    case: Case
    def __init__(self, case: _Optional[_Union[Case, _Mapping]] = ...) -> None: ...

class CancelCaseRequest(_message.Message):
    __slots__ = ("realm_id", "case_id", "case_token")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    CASE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    case_id: str
    case_token: str
    def __init__(self, realm_id: _Optional[str] = ..., case_id: _Optional[str] = ..., case_token: _Optional[str] = ...) -> None: ...

class CancelCaseResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ConfirmCorrectionRequest(_message.Message):
    __slots__ = ("correction_token",)
    CORRECTION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    correction_token: str
    def __init__(self, correction_token: _Optional[str] = ...) -> None: ...

class ConfirmCorrectionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExecuteCaseRequest(_message.Message):
    __slots__ = ("realm_id", "case_id")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    case_id: str
    def __init__(self, realm_id: _Optional[str] = ..., case_id: _Optional[str] = ...) -> None: ...

class ExecuteCaseResponse(_message.Message):
    __slots__ = ("case", "support_code", "support_code_expire_time")
    CASE_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_CODE_FIELD_NUMBER: _ClassVar[int]
    SUPPORT_CODE_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    case: Case
    support_code: str
    support_code_expire_time: _timestamp_pb2.Timestamp
    def __init__(self, case: _Optional[_Union[Case, _Mapping]] = ..., support_code: _Optional[str] = ..., support_code_expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListCasesRequest(_message.Message):
    __slots__ = ("realm_id", "account_id", "open_only", "page_size", "page_token")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    OPEN_ONLY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    account_id: str
    open_only: bool
    page_size: int
    page_token: str
    def __init__(self, realm_id: _Optional[str] = ..., account_id: _Optional[str] = ..., open_only: bool = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCasesResponse(_message.Message):
    __slots__ = ("cases", "next_page_token")
    CASES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    cases: _containers.RepeatedCompositeFieldContainer[Case]
    next_page_token: str
    def __init__(self, cases: _Optional[_Iterable[_Union[Case, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class MessageDelivery(_message.Message):
    __slots__ = ("delivery_id", "kind", "channel", "state", "reason", "create_time", "end_time")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    kind: str
    channel: DeliveryChannel
    state: _sign_in_pb2.DeliveryState
    reason: _sign_in_pb2.DeliveryReason
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, delivery_id: _Optional[str] = ..., kind: _Optional[str] = ..., channel: _Optional[_Union[DeliveryChannel, str]] = ..., state: _Optional[_Union[_sign_in_pb2.DeliveryState, str]] = ..., reason: _Optional[_Union[_sign_in_pb2.DeliveryReason, str]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListDeliveriesRequest(_message.Message):
    __slots__ = ("realm_id", "account_id", "email", "phone_number", "page_size", "page_token")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PHONE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    account_id: str
    email: str
    phone_number: str
    page_size: int
    page_token: str
    def __init__(self, realm_id: _Optional[str] = ..., account_id: _Optional[str] = ..., email: _Optional[str] = ..., phone_number: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDeliveriesResponse(_message.Message):
    __slots__ = ("deliveries", "next_page_token")
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[MessageDelivery]
    next_page_token: str
    def __init__(self, deliveries: _Optional[_Iterable[_Union[MessageDelivery, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class LockAccountRequest(_message.Message):
    __slots__ = ("realm_id", "account_id", "reason")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    account_id: str
    reason: str
    def __init__(self, realm_id: _Optional[str] = ..., account_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class LockAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: FoundAccount
    def __init__(self, account: _Optional[_Union[FoundAccount, _Mapping]] = ...) -> None: ...

class UnlockAccountRequest(_message.Message):
    __slots__ = ("realm_id", "account_id", "reason")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    account_id: str
    reason: str
    def __init__(self, realm_id: _Optional[str] = ..., account_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class UnlockAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: FoundAccount
    def __init__(self, account: _Optional[_Union[FoundAccount, _Mapping]] = ...) -> None: ...

class ReviveActivationRequest(_message.Message):
    __slots__ = ("realm_id", "email")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    email: str
    def __init__(self, realm_id: _Optional[str] = ..., email: _Optional[str] = ...) -> None: ...

class ReviveActivationResponse(_message.Message):
    __slots__ = ("expire_time",)
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
