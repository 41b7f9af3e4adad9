"""A process whose threads all ask the same question; run by the tests of single flight.

    python -m tests.test_providers.remote.asker DATABASE PORT THREADS

Waits for a line on its input, then asks. What the source answers is what a server on this
machine says to a connection. Prints what came of it: how often which answer.
"""

from __future__ import annotations

import json
import socket
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

from lsm.clock import utc_now
from lsm.db import open_database
from lsm.remote.answers import Answers, Fetched, Question
from lsm.remote.errors import RemoteError
from lsm.remote.storage import RemoteCache

if TYPE_CHECKING:
    from lsm.remote.storage import Held

QUESTION = Question("p", "the one question", timedelta(hours=1))


def main(url: str, port: int, threads: int) -> None:
    with open_database(url) as db:
        answers = Answers(db, RemoteCache(db), utc_now)

        def fetch(held: Held | None) -> Fetched:
            assert not db.in_transaction
            with socket.create_connection(("127.0.0.1", port)) as connection:
                said = connection.recv(100).decode()
            if said == "fail":
                raise RemoteError("status", "HTTP 500")
            return Fetched(said)

        def ask(_: int) -> str:
            try:
                return answers.get(QUESTION, fetch).response
            except RemoteError as error:
                return error.code

        print("ready", flush=True)  # noqa: T201
        sys.stdin.readline()
        with ThreadPoolExecutor(threads) as pool:
            print(json.dumps(Counter(pool.map(ask, range(threads)))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
