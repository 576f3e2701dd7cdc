"""The few roots of every error, named by whose fault it is.

A message says what happened and what to do next, in Chinese for people in the field; logs are English. A command ends
with the `exit_code` of the root it caught. Any other exception is a defect and may end the process.
"""


class LiuhenFault(Exception):
    """Something expected that went wrong; `str(fault)` is one Chinese line with the next step."""

    exit_code = 1


class OperatorFault(LiuhenFault):
    """The command, the configuration or a file the operator named is wrong; nothing was changed."""

    exit_code = 2


class SenderFault(LiuhenFault):
    """Bytes that came from outside are malformed, forged, too old or not allowed; they were refused.

    `code` is one short English word for machines and permanent records: the text may name people, a code cannot.
    """

    exit_code = 3

    def __init__(self, text: str, code: str = "content") -> None:
        super().__init__(text)
        self.code = code


class EnvironmentFault(LiuhenFault):
    """The disk, network, camera, serial line or a permission failed; the work may be tried again."""

    exit_code = 4
