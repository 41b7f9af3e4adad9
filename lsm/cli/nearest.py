"""Groups of commands that tell whole sentences, and the nearest name to a mistyped one."""

from __future__ import annotations

import click


class NearestGroup(click.Group):
    """A group that suggests."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                # As long as it is: click would cut it off where the line ends.
                [
                    (name, command.get_short_help_str(limit=500))
                    for name in self.list_commands(ctx)
                    if (command := self.get_command(ctx, name)) is not None and not command.hidden
                ]
            )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise _with_nearest(error, args[0], self.list_commands(ctx)) from error


def _with_nearest(error: click.UsageError, typed: str, names: list[str]) -> click.UsageError:
    from difflib import get_close_matches

    near = get_close_matches(typed, names, n=1)
    if not near:
        return error
    message = error.message.removesuffix(".")
    return click.UsageError(f"{message}; did you mean '{near[0]}'?", error.ctx)
