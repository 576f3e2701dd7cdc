"""What a verifier may bring along beside roots."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.evidence.account import Account
from agent.evidence.time_stamps import TokenReader
from agent.wire.identifiers import DeviceId
from agent.wire.trust import TrustList


@dataclass(frozen=True)
class Grounds:
    """A trust list that a root signed, for revocations; the accounts of devices, for what should be there; and who
    reads time-stamps that were put in later."""

    trust: TrustList | None = None
    accounts: Mapping[DeviceId, Account] = field(default_factory=dict)
    stamps: TokenReader | None = None


NO_GROUNDS = Grounds()
