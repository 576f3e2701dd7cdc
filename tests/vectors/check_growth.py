"""Check a growth proof of `liuhen-center prove-growth` with Python alone: python check_growth.py growth.json

It recomputes the older root, which a receipt of that time named (compare it yourself), and the newer, which the tree
head in the proof names (RFC 9162 section 2.1.4.2). The head's signature: as check_inclusion.py says.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path


def roots_of(old: int, new: int, old_root: str, path: list) -> tuple:
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    path = [old_root, *path] if not old & (old - 1) else path  # the older tree is complete: it begins the path
    first = second = bytes.fromhex(path[0])
    for step in map(bytes.fromhex, path[1:]):
        assert last > 0, "the path is too long"
        if node & 1 or node == last:
            first, second = (hashlib.sha256(b"\x01" + step + root).digest() for root in (first, second))
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            second = hashlib.sha256(b"\x01" + second + step).digest()
        node, last = node >> 1, last >> 1
    assert last == 0, "the path is too short"
    return first.hex(), second.hex()


place = Path(sys.argv[1]) if len(sys.argv) == 2 else sys.exit(sys.stderr.write(__doc__.splitlines()[0] + "\n") and 2)
proof = json.loads(place.read_text(encoding="utf-8"))
head, old, root = json.loads(base64.b64decode(proof["head"]["payload"])), proof["old_size"], proof["old_root"]
same = old == head["size"] and not proof["path"]
good = head["root"] == root if same else roots_of(old, head["size"], root, proof["path"]) == (root, head["root"])
sys.stdout.write(f"{head['log']} {'GREW' if good else 'DID NOT GROW'} from {old} ({root}) to {head['size']}\n")
sys.exit(not good)
