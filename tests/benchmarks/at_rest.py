"""Encryption at rest: throughput and overhead at the default fragment, ten minutes of 6.5 Mbit/s in memory.

python -m tests.benchmarks.at_rest
OPENSSL_ia32cap=~0x200000200000000 python -m tests.benchmarks.at_rest      # AES-NI and PCLMULQDQ masked
"""

import json
import sys
import time

from agent.evidence.bmff import Source
from agent.evidence.encrypted_reading import open_encrypted
from agent.evidence.encrypted_stream import KEY_BYTES, Header, StreamKey, StreamWriter, final_record, wrap_key
from agent.wire.identifiers import recording_id
from tests.agent.evidence.bench import DEVICE, private_key

FRAGMENT_BYTES, FRAGMENTS = 6_500_000 // 8 // 2, 1200


def main() -> None:
    data_key = bytes(KEY_BYTES)
    header = Header(wrap_key(data_key, recording_id(DEVICE, 1), private_key("archive").public_key()), bytes(16))
    key, fragment = StreamKey(data_key, header), bytes(FRAGMENT_BYTES)
    writer = StreamWriter(key, header)
    pieces = [writer.opening()]
    begun = time.process_time()
    pieces += [writer.append(fragment) for _ in range(FRAGMENTS)]
    wrote = time.process_time() - begun
    pieces.append(final_record(key, writer.size))
    file, plain = b"".join(pieces), FRAGMENT_BYTES * FRAGMENTS
    begun = time.process_time()
    opened = open_encrypted(Source.of_bytes(file), data_key)
    walked = time.process_time() - begun
    begun = time.process_time()
    read = sum(len(chunk) for chunk in opened.plain.chunks(0, opened.plain.size))
    took = time.process_time() - begun
    figures = {
        "write_mb_s": round(plain / wrote / 1e6),
        "read_mb_s": round(read / took / 1e6),
        "open_ms": round(walked * 1000, 1),
        "overhead_percent": round(100 * (len(file) - plain) / plain, 4),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
