"""Stands in for kmsxx, which picamera2's DRM preview imports whether or not it is ever shown, and no package index has.

Only the names of pixel formats are asked for, at import; nothing is drawn.
"""


class _Named(type):
    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class PixelFormat(metaclass=_Named):
    """Every attribute is its own name."""
