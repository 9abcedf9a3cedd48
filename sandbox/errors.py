"""The errors of the sandbox that the user can fix."""


class SandboxError(Exception):
    """The sandbox cannot do what was asked; the message says why and how to fix it."""
