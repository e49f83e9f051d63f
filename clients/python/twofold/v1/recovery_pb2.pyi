from google.protobuf import timestamp_pb2 as _timestamp_pb2
from twofold.v1 import access_pb2 as _access_pb2
from twofold.v1 import sign_in_pb2 as _sign_in_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CaptchaProvider(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAPTCHA_PROVIDER_UNSPECIFIED: _ClassVar[CaptchaProvider]
    CAPTCHA_PROVIDER_NONE: _ClassVar[CaptchaProvider]
    CAPTCHA_PROVIDER_ALTCHA: _ClassVar[CaptchaProvider]
    CAPTCHA_PROVIDER_HCAPTCHA: _ClassVar[CaptchaProvider]
    CAPTCHA_PROVIDER_TURNSTILE: _ClassVar[CaptchaProvider]
    CAPTCHA_PROVIDER_RECAPTCHA: _ClassVar[CaptchaProvider]
CAPTCHA_PROVIDER_UNSPECIFIED: CaptchaProvider
CAPTCHA_PROVIDER_NONE: CaptchaProvider
CAPTCHA_PROVIDER_ALTCHA: CaptchaProvider
CAPTCHA_PROVIDER_HCAPTCHA: CaptchaProvider
CAPTCHA_PROVIDER_TURNSTILE: CaptchaProvider
CAPTCHA_PROVIDER_RECAPTCHA: CaptchaProvider

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
