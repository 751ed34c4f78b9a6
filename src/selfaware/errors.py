"""The error that a user can mend."""

import click


class UsageError(click.ClickException):
    """A user's mistake, told in one line.

    The message names the bad value, where it stands, what is allowed and what to do. Both command
    lines, `selfaware` and `inspect`, print a click exception without a traceback.
    """

    exit_code = 2
