"""The error of a module's name that torch has and minitorch refuses."""


class UnsupportedName(NotImplementedError, AttributeError):
    """NotImplementedError for people who read it; an AttributeError, so that `hasattr` says that there is none."""
