"""Writes clients/python/twofold/services.py, the types of the client's methods, from the descriptors of the contract.

Run after the contract changed and the stubs were made: `.venv/bin/python -m tests.integration.client.render_services`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from twofold import methods

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FileDescriptor

SERVICES_FILE = Path(methods.__file__).with_name("services.py")
STUBS = SERVICES_FILE.parent / "v1"

HEADER = '''"""The services of the contract and the types of their methods. Rendered from descriptors; not edited."""

from __future__ import annotations

'''

METHOD_CLASSES = (
    "AsyncMethod",
    "AsyncService",
    "AsyncStreamMethod",
    "SyncMethod",
    "SyncService",
    "SyncStreamMethod",
)

# What a service is called in the client: the plural of its noun, or the noun of one that has no plural.
CLASS_NAMES = {
    "AccountService": "Accounts",
    "RecoveryService": "Recovery",
    "SessionService": "Sessions",
    "SupportService": "Support",
    "TwoFactorService": "TwoFactor",
}


def service_files() -> list[FileDescriptor]:
    """The files of the contract that have a service."""
    modules = (import_module(f"twofold.v1.{path.stem}") for path in sorted(STUBS.glob("*_pb2.py")))
    return [module.DESCRIPTOR for module in modules if module.DESCRIPTOR.services_by_name]


def render() -> str:
    """The text of services.py."""
    files = service_files()
    services = [(file, service) for file in files for _, service in sorted(file.services_by_name.items())]
    methods_of_all = [method for _, service in services for method in service.methods]
    imports = sorted({_module(message) for m in methods_of_all for message in (m.input_type, m.output_type)})
    parts = [
        HEADER,
        "from twofold.methods import (\n",
        *(f"    {name},\n" for name in METHOD_CLASSES),
        ")\n",
        f"from twofold.v1 import {', '.join(imports)}\n",
    ]
    for file, service in services:
        for prefix, kind in (("", "Async"), ("Sync", "Sync")):
            parts.append(f"\n\nclass {prefix}{CLASS_NAMES[service.name]}({kind}Service):\n")
            parts.append(f'    """{service.name}, of a {prefix}Client."""\n\n')
            parts.append(f'    DESCRIPTOR = {_stem(file)}.DESCRIPTOR.services_by_name["{service.name}"]\n\n')
            for method in service.methods:
                types = f"{_type(method.input_type)}, {_type(method.output_type)}"
                made_of = f"{kind}StreamMethod" if method.server_streaming else f"{kind}Method"
                line = f"    {method.name}: {made_of}[{types}]\n"
                if len(line) > 121:
                    line = f"    {method.name}: {made_of}[\n        {types}\n    ]\n"
                parts.append(line)
    return "".join(parts)


def _stem(file: FileDescriptor) -> str:
    return Path(file.name).stem + "_pb2"


def _module(message: Descriptor) -> str:
    return _stem(message.file)


def _type(message: Descriptor) -> str:
    return f"{_module(message)}.{message.name}"


if __name__ == "__main__":
    SERVICES_FILE.write_text(render(), encoding="utf-8")
