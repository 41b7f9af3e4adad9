"""The `lsm` command, whose way out ends at a replaying server on this machine.

    python -m tests.test_providers.played PORT ARGUMENTS...

Everything else is the program's own: names are resolved to a public address, which is checked,
and what is spoken is HTTP over TLS. A ``;`` begins another command; the status is that of the first
that fails.
"""

from __future__ import annotations

import socket
import ssl
import sys
import time

from lsm.cli import cli
from lsm.remote import network
from tests.test_providers.replay import CERTIFICATE, PUBLIC


def main(port: int, arguments: list[str]) -> int:
    real = network.Network

    def played() -> network.Network:
        return real(
            resolve=lambda _, __: [PUBLIC],
            dial=lambda _, __, timeout: socket.create_connection(("127.0.0.1", port), timeout),
            certificates=ssl.create_default_context(cafile=str(CERTIFICATE)),
            sleep=lambda seconds: time.sleep(min(seconds, 0.05)),
        )

    network.Network = played  # pyright: ignore[reportAttributeAccessIssue]
    while arguments:
        end = arguments.index(";") if ";" in arguments else len(arguments)
        command, arguments = arguments[:end], arguments[end + 1 :]
        try:
            cli.main(command, prog_name="lsm")
        except SystemExit as ended:
            if ended.code:
                sys.stderr.write(f"{command} ended with {ended.code}\n" if arguments else "")
                return int(ended.code)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
