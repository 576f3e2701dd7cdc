"""Check an inclusion proof of `liuhen-center prove` with Python alone: python check_inclusion.py proof.json

It recomputes the root from the event's own bytes (RFC 9162 section 2.1.3.2) and compares it with the tree head in the
proof. The head's signature is an ordinary ECDSA one; the bytes that it covers and the signature are written to
PROOF.signed and PROOF.sig, for: openssl dgst -sha256 -verify receiver.pub -signature proof.json.sig proof.json.signed
"""

import base64
import hashlib
import json
import sys
from pathlib import Path


def root_of(event: bytes, position: int, size: int, path: list) -> bytes:
    found = hashlib.sha256(b"\x00" + event).digest()
    node, last = position, size - 1
    for step in map(bytes.fromhex, path):
        assert last > 0, "the path is too long"
        if node & 1 or node == last:
            found = hashlib.sha256(b"\x01" + step + found).digest()
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + step).digest()
        node, last = node >> 1, last >> 1
    assert last == 0, "the path is too short"
    return found


place = Path(sys.argv[1]) if len(sys.argv) == 2 else sys.exit(sys.stderr.write(__doc__.splitlines()[0] + "\n") and 2)
proof = json.loads(place.read_text(encoding="utf-8"))
kind, payload = proof["head"]["payloadType"].encode(), base64.b64decode(proof["head"]["payload"])
head, event = json.loads(payload), proof["event"]
assert 0 <= proof["position"] < head["size"], "no such position"
good = root_of(event.encode(), proof["position"], head["size"], proof["path"]).hex() == head["root"]
place.with_name(place.name + ".signed").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
place.with_name(place.name + ".sig").write_bytes(base64.b64decode(proof["head"]["signatures"][0]["sig"]))
sys.stdout.write(f"{'IS' if good else 'IS NOT'} leaf {proof['position']} of {head['size']} in {head['log']}\n")
sys.exit(not good)
