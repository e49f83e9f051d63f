from google.protobuf import timestamp_pb2 as _timestamp_pb2
from twofold.v1 import access_pb2 as _access_pb2
from twofold.v1 import sign_in_pb2 as _sign_in_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RevocationKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVOCATION_KIND_UNSPECIFIED: _ClassVar[RevocationKind]
    REVOCATION_KIND_ACCOUNT: _ClassVar[RevocationKind]
    REVOCATION_KIND_SESSION: _ClassVar[RevocationKind]
    REVOCATION_KIND_API_KEY: _ClassVar[RevocationKind]
    REVOCATION_KIND_SIGNING_KEY: _ClassVar[RevocationKind]
    REVOCATION_KIND_REALM: _ClassVar[RevocationKind]
REVOCATION_KIND_UNSPECIFIED: RevocationKind
REVOCATION_KIND_ACCOUNT: RevocationKind
REVOCATION_KIND_SESSION: RevocationKind
REVOCATION_KIND_API_KEY: RevocationKind
REVOCATION_KIND_SIGNING_KEY: RevocationKind
REVOCATION_KIND_REALM: RevocationKind

class RefreshSessionRequest(_message.Message):
    __slots__ = ("refresh_token", "audience", "client")
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    refresh_token: str
    audience: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, refresh_token: _Optional[str] = ..., audience: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class RefreshSessionResponse(_message.Message):
    __slots__ = ("session", "tokens")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    session: _sign_in_pb2.Session
    tokens: _sign_in_pb2.SessionTokens
    def __init__(self, session: _Optional[_Union[_sign_in_pb2.Session, _Mapping]] = ..., tokens: _Optional[_Union[_sign_in_pb2.SessionTokens, _Mapping]] = ...) -> None: ...

class CheckSessionRequest(_message.Message):
    __slots__ = ("realm_id", "audience", "fresh")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    FRESH_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    audience: str
    fresh: bool
    def __init__(self, realm_id: _Optional[str] = ..., audience: _Optional[str] = ..., fresh: bool = ...) -> None: ...

class CheckSessionResponse(_message.Message):
    __slots__ = ("session", "access_token_expire_time")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ACCESS_TOKEN_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    session: _sign_in_pb2.Session
    access_token_expire_time: _timestamp_pb2.Timestamp
    def __init__(self, session: _Optional[_Union[_sign_in_pb2.Session, _Mapping]] = ..., access_token_expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SecondFactorStepUp(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StepUpRequest(_message.Message):
    __slots__ = ("password", "second_factor", "client")
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    SECOND_FACTOR_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    password: str
    second_factor: SecondFactorStepUp
    client: _sign_in_pb2.ClientContext
    def __init__(self, password: _Optional[str] = ..., second_factor: _Optional[_Union[SecondFactorStepUp, _Mapping]] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class StepUpResponse(_message.Message):
    __slots__ = ("signed_in", "challenge")
    SIGNED_IN_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    signed_in: _sign_in_pb2.SignedIn
    challenge: _sign_in_pb2.SecondFactorChallenge
    def __init__(self, signed_in: _Optional[_Union[_sign_in_pb2.SignedIn, _Mapping]] = ..., challenge: _Optional[_Union[_sign_in_pb2.SecondFactorChallenge, _Mapping]] = ...) -> None: ...

class SignOutRequest(_message.Message):
    __slots__ = ("refresh_token",)
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    refresh_token: str
    def __init__(self, refresh_token: _Optional[str] = ...) -> None: ...

class SignOutResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSessionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSessionsResponse(_message.Message):
    __slots__ = ("sessions", "next_page_token")
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    sessions: _containers.RepeatedCompositeFieldContainer[_sign_in_pb2.Session]
    next_page_token: str
    def __init__(self, sessions: _Optional[_Iterable[_Union[_sign_in_pb2.Session, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RevokeSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class RevokeSessionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RevokeOtherSessionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RevokeOtherSessionsResponse(_message.Message):
    __slots__ = ("session", "tokens")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    session: _sign_in_pb2.Session
    tokens: _sign_in_pb2.SessionTokens
    def __init__(self, session: _Optional[_Union[_sign_in_pb2.Session, _Mapping]] = ..., tokens: _Optional[_Union[_sign_in_pb2.SessionTokens, _Mapping]] = ...) -> None: ...

class GetSigningKeysRequest(_message.Message):
    __slots__ = ("realm_id",)
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    def __init__(self, realm_id: _Optional[str] = ...) -> None: ...

class SigningKey(_message.Message):
    __slots__ = ("key_id", "x", "y", "publish_time", "sign_time", "retire_time")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_TIME_FIELD_NUMBER: _ClassVar[int]
    SIGN_TIME_FIELD_NUMBER: _ClassVar[int]
    RETIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    x: bytes
    y: bytes
    publish_time: _timestamp_pb2.Timestamp
    sign_time: _timestamp_pb2.Timestamp
    retire_time: _timestamp_pb2.Timestamp
    def __init__(self, key_id: _Optional[str] = ..., x: _Optional[bytes] = ..., y: _Optional[bytes] = ..., publish_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., sign_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., retire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetSigningKeysResponse(_message.Message):
    __slots__ = ("keys", "issuer", "audiences")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    AUDIENCES_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[SigningKey]
    issuer: str
    audiences: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[_Union[SigningKey, _Mapping]]] = ..., issuer: _Optional[str] = ..., audiences: _Optional[_Iterable[str]] = ...) -> None: ...

class Revocation(_message.Message):
    __slots__ = ("revocation_id", "realm_id", "kind", "subject", "epoch", "expire_time")
    REVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    revocation_id: str
    realm_id: str
    kind: RevocationKind
    subject: str
    epoch: int
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, revocation_id: _Optional[str] = ..., realm_id: _Optional[str] = ..., kind: _Optional[_Union[RevocationKind, str]] = ..., subject: _Optional[str] = ..., epoch: _Optional[int] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WatchRevocationsRequest(_message.Message):
    __slots__ = ("resume_token", "realm_id")
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    realm_id: str
    def __init__(self, resume_token: _Optional[str] = ..., realm_id: _Optional[str] = ...) -> None: ...

class WatchRevocationsResponse(_message.Message):
    __slots__ = ("revocations", "reset", "current", "resume_token", "server_time")
    REVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    revocations: _containers.RepeatedCompositeFieldContainer[Revocation]
    reset: bool
    current: bool
    resume_token: str
    server_time: _timestamp_pb2.Timestamp
    def __init__(self, revocations: _Optional[_Iterable[_Union[Revocation, _Mapping]]] = ..., reset: bool = ..., current: bool = ..., resume_token: _Optional[str] = ..., server_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
