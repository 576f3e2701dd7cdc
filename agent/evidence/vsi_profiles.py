"""The ways in which verifiable segment info (C2PA 2.4 section 19.4) is written today: implementations read the text
differently in three places (reference/signing.md section 2).

Which one a segment is written in stands signed in its opening statement, except for the default; a reader demands that
very form of every part and tries no other.
"""

from dataclasses import dataclass

from agent.errors import SenderFault
from agent.evidence import cbor

CONTEXT_VSI = "vsi_profile"
IAT, IAT_CLAIM = "iat", 6  # as the text of C2PA has it; RFC 8392 section 4
TYPED_ARRAY = b"\xd8\x40"  # tag 64, uint8 array (RFC 8746 section 2.1)


class UnknownDialect(SenderFault):
    """A segment whose signed opening names a profile that is not known here: not altered, but it cannot be judged."""


@dataclass(frozen=True)
class VsiProfile:
    """`value` of the `emsg` box, the header parameter `issued` with the time of signing, and whether the certificate
    that the session key signs (`signerBinding`) is `attached` or only meant, then as CBOR, `typed` as an array."""

    name: str
    value: bytes
    issued: str | int
    attached: bool
    typed: bool = False

    def bound(self, leaf: bytes) -> bytes:
        """What the session key signs of the certificate `leaf`, in DER."""
        if self.attached:
            return leaf
        return (TYPED_ARRAY if self.typed else b"") + cbor.encode(leaf)


DEFAULT_VSI = VsiProfile("c2pa-2.4", b"c2pa", IAT, attached=True)  # the one that encypher-c2pa verifies
VSI_PROFILES = {
    profile.name: profile
    for profile in (
        DEFAULT_VSI,
        VsiProfile("cml-c2pa", b"c2pa", IAT, attached=False, typed=True),  # SVTA, snapshot of August 2026; any value
        VsiProfile("c2pa-rs-2562", b"fseg", IAT, attached=False),  # draft for c2pa-rs
        VsiProfile("c2pa-rs-2631", b"fseg", IAT_CLAIM, attached=False),  # the draft after it
    )
}


def vsi_profile(name: object) -> VsiProfile:
    """The profile that a signed statement names, None for the default; raises `UnknownDialect`."""
    if name is None:
        return DEFAULT_VSI
    found = VSI_PROFILES.get(name) if isinstance(name, str) and name != DEFAULT_VSI.name else None
    if found is None:
        raise UnknownDialect(f"不认识实时签名的写法 {str(name)[:40]!r}，无从检验。请换用较新版本的 liuhen-verify。")
    return found
