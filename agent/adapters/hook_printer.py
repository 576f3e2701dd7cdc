"""The slip printer of `[hooks] printer`: a paper's lines and code onto 58 mm paper. Its line is open for one slip."""

from agent.duty.papers import Paper
from agent.errors import EnvironmentFault
from firmware_hooks.device_link import LineLost, SerialLink
from firmware_hooks.slip_printer import BAUD, compose_slip

PIECE_BYTES = 256  # ours: 0.27 s at 9600 baud, so that a piece never outlives the line's write timeout


class SlipPrinter:
    """The printer on serial device `device`, whose Chinese is `encoding`; opens nothing before `print`."""

    def __init__(self, device: str, encoding: str) -> None:
        self._device, self._encoding = device, encoding

    def print(self, paper: Paper, reprint: int) -> str:
        """Print it, as copy `reprint` (0: the original); returns the characters that the printer cannot show. Raises
        `EnvironmentFault`, one Chinese line."""
        try:
            slip = compose_slip(paper.title, paper.lines(reprint), paper.code, self._encoding)
        except ImportError as error:
            raise EnvironmentFault("没有安装打印组件。请技术人员安装 liuhen[printer]。") from error
        try:
            with SerialLink(self._device, _Deaf, BAUD) as line:
                for start in range(0, len(slip.data), PIECE_BYTES):
                    self._send(line, slip.data[start : start + PIECE_BYTES])
        except LineLost as error:
            raise EnvironmentFault(f"打印机 {self._device} 连接不上。请检查电源与接线后重新打印。") from error
        return slip.missing

    def _send(self, line: "SerialLink[None]", piece: bytes) -> None:
        # A piece that was not taken in time may have been taken in part: it is not sent again.
        if not line.write(piece):
            raise EnvironmentFault(f"打印机 {self._device} 不接收数据。请检查纸与盖，撕去残页后重新打印。")


class _Deaf:
    """What a printer says back is not asked for: makers differ, and noise must not stop a slip."""

    def feed(self, data: bytes) -> list[None]:  # noqa: ARG002
        """Nothing."""
        return []

    def quiet(self) -> list[None]:
        """Nothing."""
        return []
