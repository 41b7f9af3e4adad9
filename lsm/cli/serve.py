"""`lsm serve`: the browser, the API and MCP over HTTP, and the scheduler, on this machine only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lsm.cli import output
from lsm.cli.options import as_json

if TYPE_CHECKING:
    from lsm.cli import Settings

_PORT = 8321  # `lsm.web.server.DEFAULT_PORT`, which is not imported for the help alone


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="0: any free."
)
@click.option("--no-scheduler", is_flag=True, help="Run no schedules in here.")
@click.option("--open", "open_", is_flag=True, help="Open it in the browser.")
@click.option("--link", is_flag=True, help="Print a new link to the server that runs already.")
@as_json
@click.pass_obj
def serve(
    settings: Settings, port: int, no_scheduler: bool, open_: bool, link: bool, as_json: bool
) -> None:
    """Search, review and watch in a browser; API and MCP for programs. For this machine only.

    Prints a link that lets one browser in, once. Programs send the token, which stands in
    serve.token in the home folder, as "Authorization: Bearer TOKEN". Ctrl-C stops.

    \b
    lsm serve --open
    lsm serve --port 8400 --no-scheduler
    lsm serve --link                    another link, for another browser
    """
    from lsm.config import home_path
    from lsm.web.server import ServeOptions, ask_for_link, to_stderr
    from lsm.web.server import serve as run

    def tell(address: str, port: int) -> None:
        if as_json:
            output.print_json({"url": address, "port": port}, on_one_line=True)
        else:
            click.echo(address)
        if open_:
            click.launch(address)

    if link:
        tell(ask_for_link(home_path(settings.home), port), port)
        return
    with settings.open() as mind:
        options = ServeOptions(port=port, scheduler=not no_scheduler, database=settings.database)
        run(mind, options, tell, lambda line: to_stderr(output.clean(line)))
