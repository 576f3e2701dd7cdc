"""Which version of this software runs."""

from importlib.metadata import PackageNotFoundError, version


def software_version() -> str:
    """The version of the installed distribution."""
    try:
        return version("liuhen")
    except PackageNotFoundError:
        return "0+source"
