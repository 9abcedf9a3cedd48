"""The errors of deploy, written for the person who deploys."""


class DeployError(Exception):
    """A failure whose text names the thing, what was expected, what was found, and how to fix it."""
