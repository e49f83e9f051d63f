from google.protobuf import timestamp_pb2 as _timestamp_pb2
from twofold.v1 import access_pb2 as _access_pb2
from twofold.v1 import account_pb2 as _account_pb2
from twofold.v1 import sign_in_pb2 as _sign_in_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AdditionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ADDITION_KIND_UNSPECIFIED: _ClassVar[AdditionKind]
    ADDITION_KIND_FACTOR: _ClassVar[AdditionKind]
    ADDITION_KIND_BACKUP_CODES: _ClassVar[AdditionKind]
    ADDITION_KIND_DEVICE: _ClassVar[AdditionKind]
    ADDITION_KIND_PHONE_NUMBER: _ClassVar[AdditionKind]

class CaptchaProvider(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAPTCHA_PROVIDER_UNSPECIFIED: _ClassVar[CaptchaProvider]
    CAPTCHA_PROVIDER_NONE: _ClassVar[CaptchaProvider]
    CAPTCHA_PROVIDER_ALTCHA: _ClassVar[CaptchaProvider]
    CAPTCHA_PROVIDER_HCAPTCHA: _ClassVar[CaptchaProvider]
    CAPTCHA_PROVIDER_TURNSTILE: _ClassVar[CaptchaProvider]
    CAPTCHA_PROVIDER_RECAPTCHA: _ClassVar[CaptchaProvider]
ADDITION_KIND_UNSPECIFIED: AdditionKind
ADDITION_KIND_FACTOR: AdditionKind
ADDITION_KIND_BACKUP_CODES: AdditionKind
ADDITION_KIND_DEVICE: AdditionKind
ADDITION_KIND_PHONE_NUMBER: AdditionKind
CAPTCHA_PROVIDER_UNSPECIFIED: CaptchaProvider
CAPTCHA_PROVIDER_NONE: CaptchaProvider
CAPTCHA_PROVIDER_ALTCHA: CaptchaProvider
CAPTCHA_PROVIDER_HCAPTCHA: CaptchaProvider
CAPTCHA_PROVIDER_TURNSTILE: CaptchaProvider
CAPTCHA_PROVIDER_RECAPTCHA: CaptchaProvider

class RequestPasswordResetRequest(_message.Message):
    __slots__ = ("realm_id", "email", "client")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    email: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, realm_id: _Optional[str] = ..., email: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class RequestPasswordResetResponse(_message.Message):
    __slots__ = ("reset_binding", "resend_time")
    RESET_BINDING_FIELD_NUMBER: _ClassVar[int]
    RESEND_TIME_FIELD_NUMBER: _ClassVar[int]
    reset_binding: str
    resend_time: _timestamp_pb2.Timestamp
    def __init__(self, reset_binding: _Optional[str] = ..., resend_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ResetPasswordRequest(_message.Message):
    __slots__ = ("reset_token", "reset_binding", "new_password", "client")
    RESET_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESET_BINDING_FIELD_NUMBER: _ClassVar[int]
    NEW_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    reset_token: str
    reset_binding: str
    new_password: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, reset_token: _Optional[str] = ..., reset_binding: _Optional[str] = ..., new_password: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class ResetPasswordResponse(_message.Message):
    __slots__ = ("additions", "password_advice")
    ADDITIONS_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_ADVICE_FIELD_NUMBER: _ClassVar[int]
    additions: _containers.RepeatedCompositeFieldContainer[RecentAddition]
    password_advice: _account_pb2.PasswordAdvice
    def __init__(self, additions: _Optional[_Iterable[_Union[RecentAddition, _Mapping]]] = ..., password_advice: _Optional[_Union[_account_pb2.PasswordAdvice, _Mapping]] = ...) -> None: ...

class RecentAddition(_message.Message):
    __slots__ = ("kind", "factor_kind", "name", "create_time")
    KIND_FIELD_NUMBER: _ClassVar[int]
    FACTOR_KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    kind: AdditionKind
    factor_kind: _sign_in_pb2.FactorKind
    name: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, kind: _Optional[_Union[AdditionKind, str]] = ..., factor_kind: _Optional[_Union[_sign_in_pb2.FactorKind, str]] = ..., name: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BeginTwoFactorRecoveryRequest(_message.Message):
    __slots__ = ("realm_id", "email", "password", "client")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    email: str
    password: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, realm_id: _Optional[str] = ..., email: _Optional[str] = ..., password: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class BeginTwoFactorRecoveryResponse(_message.Message):
    __slots__ = ("recovery_binding", "expire_time")
    RECOVERY_BINDING_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    recovery_binding: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, recovery_binding: _Optional[str] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ConfirmTwoFactorRecoveryRequest(_message.Message):
    __slots__ = ("recovery_link_token", "recovery_binding", "client")
    RECOVERY_LINK_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_BINDING_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    recovery_link_token: str
    recovery_binding: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, recovery_link_token: _Optional[str] = ..., recovery_binding: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class ConfirmTwoFactorRecoveryResponse(_message.Message):
    __slots__ = ("recovery_token", "expire_time", "masked_phone_number")
    RECOVERY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    MASKED_PHONE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    recovery_token: str
    expire_time: _timestamp_pb2.Timestamp
    masked_phone_number: str
    def __init__(self, recovery_token: _Optional[str] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., masked_phone_number: _Optional[str] = ...) -> None: ...

class SendTwoFactorRecoveryCodeRequest(_message.Message):
    __slots__ = ("recovery_token", "client")
    RECOVERY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    recovery_token: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, recovery_token: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class SendTwoFactorRecoveryCodeResponse(_message.Message):
    __slots__ = ("masked_phone_number", "code_expire_time", "delivery")
    MASKED_PHONE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CODE_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    masked_phone_number: str
    code_expire_time: _timestamp_pb2.Timestamp
    delivery: _sign_in_pb2.Delivery
    def __init__(self, masked_phone_number: _Optional[str] = ..., code_expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., delivery: _Optional[_Union[_sign_in_pb2.Delivery, _Mapping]] = ...) -> None: ...

class FinishTwoFactorRecoveryRequest(_message.Message):
    __slots__ = ("recovery_token", "code", "client")
    RECOVERY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    recovery_token: str
    code: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, recovery_token: _Optional[str] = ..., code: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class FinishTwoFactorRecoveryResponse(_message.Message):
    __slots__ = ("effective_time",)
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    effective_time: _timestamp_pb2.Timestamp
    def __init__(self, effective_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CancelTwoFactorRecoveryRequest(_message.Message):
    __slots__ = ("cancel_token", "client")
    CANCEL_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    cancel_token: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, cancel_token: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class CancelTwoFactorRecoveryResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RequestSignInHintRequest(_message.Message):
    __slots__ = ("realm_id", "resource_name", "client")
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_NAME_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    resource_name: str
    client: _sign_in_pb2.ClientContext
    def __init__(self, realm_id: _Optional[str] = ..., resource_name: _Optional[str] = ..., client: _Optional[_Union[_sign_in_pb2.ClientContext, _Mapping]] = ...) -> None: ...

class RequestSignInHintResponse(_message.Message):
    __slots__ = ("masked_email",)
    MASKED_EMAIL_FIELD_NUMBER: _ClassVar[int]
    masked_email: str
    def __init__(self, masked_email: _Optional[str] = ...) -> None: ...

class CreateCaptchaRequest(_message.Message):
    __slots__ = ("realm_id",)
    REALM_ID_FIELD_NUMBER: _ClassVar[int]
    realm_id: str
    def __init__(self, realm_id: _Optional[str] = ...) -> None: ...

class CreateCaptchaResponse(_message.Message):
    __slots__ = ("provider", "challenge_json", "site_key", "expire_time")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_JSON_FIELD_NUMBER: _ClassVar[int]
    SITE_KEY_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    provider: CaptchaProvider
    challenge_json: str
    site_key: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, provider: _Optional[_Union[CaptchaProvider, str]] = ..., challenge_json: _Optional[str] = ..., site_key: _Optional[str] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
