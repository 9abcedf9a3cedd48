"""What can go wrong, in words for the person who deploys."""


class DeployError(Exception):
    """A fault that names the thing, what was expected, what came, and the way to mend it."""
