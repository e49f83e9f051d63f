"""What a tool such as grpcurl asks for, over reflection."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.service import Service

Request = reflection_pb2.ServerReflectionRequest


async def _ask(service: Service, request: reflection_pb2.ServerReflectionRequest) -> Any:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{service.app.ports[0]}") as channel:
        make: Any = reflection_pb2_grpc.ServerReflectionStub
        stub = make(channel)
        async for answer in stub.ServerReflectionInfo(iter([request])):
            return answer
    raise AssertionError("no answer")


async def test_services_are_listed(service: Service) -> None:
    """A tool finds every service of the contract, and health."""
    answer = await _ask(service, Request(list_services="*"))
    names = {service.name for service in answer.list_services_response.service}
    assert {f"twofold.v1.{name}Service" for name in ("Account", "TwoFactor", "Session", "Recovery")} < names
    assert "grpc.health.v1.Health" in names


@pytest.mark.parametrize("symbol", ["twofold.v1.AccountService", "twofold.v1.AccountService.SignIn"])
async def test_a_method_is_described_with_its_access(service: Service, symbol: str) -> None:
    """A tool that knows nothing of the contract reads, from service or method, who may call SignIn."""
    answer = await _ask(service, Request(file_containing_symbol=symbol))
    pool = descriptor_pool.DescriptorPool()
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(raw)
        for raw in answer.file_descriptor_response.file_descriptor_proto
    ]
    waiting = {file.name: file for file in files}
    while waiting:
        ready = [file for file in waiting.values() if not waiting.keys() & set(file.dependency)]
        for file in ready:
            pool.Add(waiting.pop(file.name))
    method = pool.FindServiceByName("twofold.v1.AccountService").methods_by_name["SignIn"]
    options: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("google.protobuf.MethodOptions"))()
    options.ParseFromString(method.GetOptions().SerializeToString())
    access = options.Extensions[pool.FindExtensionByName("twofold.v1.access")]
    role = pool.FindEnumTypeByName("twofold.v1.CallerRole").values_by_number[access.caller[0]]
    assert role.name == "CALLER_ROLE_FRONTEND"
    assert access.takes_credential


async def test_what_is_not_there(service: Service) -> None:
    """A method that does not exist is not found, even of a service that does."""
    answer = await _ask(service, Request(file_containing_symbol="twofold.v1.AccountService.SignSideways"))
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
