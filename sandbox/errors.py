"""What can go wrong in the sandbox and is the user's to mend."""


class SandboxError(Exception):
    """The sandbox cannot do what was asked; the message says why and how to mend it."""
