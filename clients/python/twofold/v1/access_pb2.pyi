from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CallerRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CALLER_ROLE_UNSPECIFIED: _ClassVar[CallerRole]
    CALLER_ROLE_ANY: _ClassVar[CallerRole]
    CALLER_ROLE_FRONTEND: _ClassVar[CallerRole]
    CALLER_ROLE_VERIFIER: _ClassVar[CallerRole]
    CALLER_ROLE_SUPPORT: _ClassVar[CallerRole]
    CALLER_ROLE_ADMIN: _ClassVar[CallerRole]

class SessionRequirement(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SESSION_REQUIREMENT_UNSPECIFIED: _ClassVar[SessionRequirement]
    SESSION_REQUIREMENT_NONE: _ClassVar[SessionRequirement]
    SESSION_REQUIREMENT_TICKET: _ClassVar[SessionRequirement]
    SESSION_REQUIREMENT_APPROVER: _ClassVar[SessionRequirement]
    SESSION_REQUIREMENT_ANY: _ClassVar[SessionRequirement]
    SESSION_REQUIREMENT_RECENT_PASSWORD: _ClassVar[SessionRequirement]
    SESSION_REQUIREMENT_RECENT_TWO_FACTOR: _ClassVar[SessionRequirement]
    SESSION_REQUIREMENT_AGENT: _ClassVar[SessionRequirement]
CALLER_ROLE_UNSPECIFIED: CallerRole
CALLER_ROLE_ANY: CallerRole
CALLER_ROLE_FRONTEND: CallerRole
CALLER_ROLE_VERIFIER: CallerRole
CALLER_ROLE_SUPPORT: CallerRole
CALLER_ROLE_ADMIN: CallerRole
SESSION_REQUIREMENT_UNSPECIFIED: SessionRequirement
SESSION_REQUIREMENT_NONE: SessionRequirement
SESSION_REQUIREMENT_TICKET: SessionRequirement
SESSION_REQUIREMENT_APPROVER: SessionRequirement
SESSION_REQUIREMENT_ANY: SessionRequirement
SESSION_REQUIREMENT_RECENT_PASSWORD: SessionRequirement
SESSION_REQUIREMENT_RECENT_TWO_FACTOR: SessionRequirement
SESSION_REQUIREMENT_AGENT: SessionRequirement
ACCESS_FIELD_NUMBER: _ClassVar[int]
access: _descriptor.FieldDescriptor

class Access(_message.Message):
    __slots__ = ("caller", "session", "any_client", "takes_credential")
    CALLER_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ANY_CLIENT_FIELD_NUMBER: _ClassVar[int]
    TAKES_CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    caller: _containers.RepeatedScalarFieldContainer[CallerRole]
    session: _containers.RepeatedScalarFieldContainer[SessionRequirement]
    any_client: bool
    takes_credential: bool
    def __init__(self, caller: _Optional[_Iterable[_Union[CallerRole, str]]] = ..., session: _Optional[_Iterable[_Union[SessionRequirement, str]]] = ..., any_client: bool = ..., takes_credential: bool = ...) -> None: ...
