"""Makes papers on the loop's thread (a signature and one small file) and prints them on a thread of their own."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from agent.adapters.paper_folder import PaperFolder, PaperTaken
from agent.adapters.recording_papers import RecordingPapers
from agent.adapters.worker import Worker
from agent.control.messages import Event
from agent.control.paper_acts import (
    MakePaper,
    PaperEffect,
    PaperMade,
    PaperNotMade,
    PaperNotPrinted,
    PaperPrinted,
    PrintPaper,
)
from agent.duty.key_content import KeyContentSheet, sign_sheet
from agent.duty.papers import Draft, Paper, paper_of
from agent.duty.party_receipt import PartyReceipt, sign_receipt
from agent.errors import EnvironmentFault, OperatorFault
from agent.wire.signing import Signer

NO_PRINTER = "本机没有配置打印机。请在 agent.toml 的 [hooks] printer 写明，或在页面上打开 PDF。"
PRINTER = "printer"  # the thread's name


class Printer(Protocol):
    """What puts a paper onto paper."""

    def print(self, paper: Paper, reprint: int) -> str:
        """Print it; returns the characters that could not be shown. Raises `EnvironmentFault`."""


class PaperDesk:
    """`papers` travel beside recordings. `printer` None: there is none. What came of a print is told to `report`."""

    def __init__(
        self,
        folder: PaperFolder,
        papers: RecordingPapers,
        signer: Signer,
        printer: Printer | None,
        report: Callable[[Event], None],
    ) -> None:
        self._folder, self._papers, self._signer, self._printer = folder, papers, signer, printer
        self._worker = Worker(report, PRINTER)

    def start(self) -> None:
        """Begin the printing thread; raises `EnvironmentFault` for the folder of papers."""
        self._folder.sweep()
        self._worker.start()

    def close(self, timeout_s: float) -> bool:
        """End it; returns whether it has ended in time."""
        return self._worker.close(timeout_s)

    def carry_out(self, order: PaperEffect) -> list[Event]:
        """Make or print a paper; what is known of it at once."""
        answer = self.make(order) if isinstance(order, MakePaper) else self.print(order)
        return [] if answer is None else [answer]

    def make(self, order: MakePaper) -> Event:
        """Sign and keep a paper; raises `EnvironmentFault` for the disk or the key. It counts as made when it stands
        in the folder of papers: a copy beside a recording that no event names is nobody's paper."""
        paper = paper_of(order.draft, self._sealed(order.draft))
        try:
            if order.beside is not None:
                self._papers.lay(order.beside, order.name, paper)
            self._folder.keep(order.name, paper)
        except PaperTaken as fault:
            return PaperNotMade(order.ask, str(fault), order.name, fault.highest)
        return PaperMade(order.ask, order.draft, paper, order.name)

    def print(self, order: PrintPaper) -> Event | None:
        """Have it printed; the answer comes later, unless there is nothing to print with."""
        if self._printer is None:
            return PaperNotPrinted(order.ask, order.number, NO_PRINTER)
        self._worker.ask(partial(self._printed, self._printer, order))
        return None

    def _printed(self, printer: Printer, order: PrintPaper) -> Event:
        try:
            paper = order.paper or self._folder.read(order.name)
            if paper.digest != order.digest:
                detail = "保存的文书与出具时不一致，未打印。请从备份恢复，或重新出具。"
                return PaperNotPrinted(order.ask, order.number, detail)
            return PaperPrinted(order.ask, order.number, order.reprint, printer.print(paper, order.reprint))
        except (OperatorFault, EnvironmentFault) as fault:
            return PaperNotPrinted(order.ask, order.number, str(fault))

    def _sealed(self, draft: Draft) -> str:
        match draft:
            case PartyReceipt():
                return sign_receipt(draft, self._signer)
            case KeyContentSheet():
                return sign_sheet(draft, self._signer).decode()
            case _:
                return ""
