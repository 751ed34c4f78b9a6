"""The error that a user can mend."""


class UsageError(Exception):
    """A user's mistake, told in one line.

    The message names the bad value, where it stands, what is allowed and what to do.
    The command line prints it without a traceback and exits with 2.
    """
