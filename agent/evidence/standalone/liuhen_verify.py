#!/usr/bin/env python3
"""留痕录像独立检验程序：只有这一个文件，只需 Python 3.11 以上、cryptography 与 cbor2；不含本系统的其他代码，不联网。
Liuhen: verify one recording with this file alone. Needs Python >= 3.11, cryptography, cbor2; never goes online.
    python3 liuhen_verify.py RECORDING_FOLDER --root root.pem          (or one segment-0001.mp4; --json)
Exit codes 退出码: 0 complete 完整, 10 explained-gap 有说明中断, 11 unexplained-gap 无说明中断, 12 missing 缺失, 13 altered 被改,
14 untrusted 不可信, 2 wrong usage or unreadable 用法不对或读不到. A signature proves: unchanged since that device sealed it; neither that
the scene is true nor that the clock was right. 签名只证明：自该设备封存之后内容未被改动；不证明画面内容属实，也不证明设备当时的时钟准确。
"""
import argparse, functools, hashlib, itertools, json, mmap, os, re, stat, sys
from collections.abc import Mapping; from datetime import UTC, datetime, timedelta; from pathlib import Path
try:
    import cbor2; from cryptography import x509; from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization; from cryptography.hazmat.primitives.asymmetric import ec, utils
except ImportError: print("needs: pip install cryptography cbor2", file=sys.stderr); sys.exit(2)
CODES = {"complete": 0, "explained-gap": 10, "unexplained-gap": 11, "unreadable": 2, "missing": 12, "untrusted": 14, "altered": 13}; RANK = list(CODES)  # from good to bad: what cannot be read may hide worse, an alteration is a fact, whoever signed
C2PA, JOURNAL = bytes.fromhex("d8fec3d61b0e483c92975828877ec481"), bytes.fromhex("6c697568656e4a4f81524e414c763031"); EXCLUSIONS = [{"xpath": "/uuid", "data": [{"offset": 8, "value": C2PA}]}, {"xpath": "/ftyp"}, {"xpath": "/mfra"}]; NAMES, STYP = b"\0\0\0\0urn:c2pa:verifiable-segment-info\0c2pa\0", bytes.fromhex("0000001c737479706d736468000000006d73646869736f36636d6673")
PREAMBLE, MANIFEST_BYTES, MAX_LOADED, MAX_CBOR, MAX_PIECES = bytes(4) + b"manifest\0" + bytes(8), 16384, 1 << 20, 65536, 1000; MAX_SIDECAR, MAX_PHOTO, MAX_JOURNAL, MAX_SUMS, MAX_ENTRY, MAX_SEGMENT = 1 << 20, 64 << 20, 1 << 30, 4096, 32768, 32 << 30  # ours, as in agent.evidence; larger is altered unread
FRAGMENT_START, JUMBF_SUFFIX = re.escape(STYP) + b"....emsg" + re.escape(NAMES[:-6]), bytes.fromhex("00110010800000aa00389b7103"); HOLE_MS, EDGE_MS, NORMAL, GOES_ON, EPOCH = 1000, 5000, ("stopped", "continued"), ("muted", "sound-lost", "picture-frozen", "clock-jumped"), datetime(1970, 1, 1, tzinfo=UTC)
BY_DEVICE = ("shutdown", "device-restart", "frames-dropped", "clock-jumped", "picture-frozen", "low-battery", "overheated")  # else an officer explains, aloud or in a note, which only liuhen-verify reads
DIALECTS = {None: (b"c2pa", "iat", None), "cml-c2pa": (b"c2pa", "iat", b"\xd8\x40"), "c2pa-rs-2562": (b"fseg", "iat", b""), "c2pa-rs-2631": (b"fseg", 6, b"")}  # of live signatures: value of the emsg, time, what stands before a certificate that is signed detached
WHERE = ("latitude", "longitude", "quality", "satellites", "hdop", "age_ms"); PLACE = [range(-900_000_000, 900_000_001), range(-1_800_000_000, 1_800_000_001), (range(1, 6), range(8, 9)), range(100), range(1, 10_000), range(-10_000, 10_001)]
SIGNED_DATA, DATA, SHA_256, ES_256, VERSION_1, SIGNED_ATTRIBUTES = map(bytes.fromhex, ("06092a864886f70d010702", "06092a864886f70d010701", "300b0609608648016503040201", "300a06082a8648ce3d040302", "020101", "301806092a864886f70d010903310b06092a864886f70d010701302f06092a864886f70d01090431220420"))
COUNT, NUMBER, DIGEST, RECORDING, BOOT = range(1, 2**53), range(2**53), re.compile(b".{32}", re.DOTALL), re.compile("(?:REC|KSK)-[0-9]{4,6}-R[0-9]{6,9}"), str; TIME = [range(253_370_764_800_001), range(2**63), re.compile("gnss|ntp|holdover|unset"), (None, NUMBER)]; INSTANT = [BOOT, *TIME]; PAIRS = lambda it: type(it) is list and all(fits(pair, [NUMBER, NUMBER]) for pair in it)
REASON = re.compile("stopped|continued|shutdown|device-restart|camera-lost|encoder-stalled|storage-failed|clock-jumped|frames-dropped|paused|muted|sound-lost|picture-frozen|low-battery|overheated|storage-full"); KIND = re.compile("gap-opened|gap-closed|marker|clock-jumped|mute-on|mute-off|photo|health|officer|label|task|step-due|step|identity-shown|document|receipt|party-confirmed")
NOTED = [BOOT, TIME, (None, REASON), re.compile(".{0,200}", re.DOTALL)]; SPAN = lambda it: fits(it, [COUNT, COUNT]) and it[0] <= it[1]; EVENTS = lambda them: type(them) is list and all(fits(it, ([KIND, *NOTED], [re.compile("explanation"), *NOTED, SPAN])) for it in them)
ENTRY = {"prev": DIGEST, "rec": RECORDING, "seg": NUMBER, "seq": NUMBER, "cap": TIME, "sig": TIME, "boot": BOOT, "ms": range(3_600_001), "ctr": None, "pos": (None, PLACE), "media": DIGEST, "moof": bytes, "evt": EVENTS}
OPENING = {"recording": RECORDING, "segment": COUNT, "device": re.compile("(?:REC|KSK)-[0-9]{4,6}"), "unit": object, "opened": INSTANT, "previous_recording": DIGEST, "first_sequence": COUNT, "prior_head": DIGEST, "context": dict, "ftyp": DIGEST, "moov": DIGEST}; SEAL = {"at": INSTANT, "reason": REASON, "recovered": object, "discarded_bytes": NUMBER, "gaps": EVENTS, "gap_count": NUMBER, "live_manifest": str, "fragments": NUMBER, "head": DIGEST, "size": NUMBER, "first_captured": (None, INSTANT), "last_captured": (None, INSTANT), "damage": PAIRS, "opening_signature": bytes}
class Beyond(Exception): """A box that ends after the end of the file."""
NO = (Beyond, LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, InvalidSignature, UnsupportedAlgorithm, cbor2.CBORError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)
def require(condition, fault=ValueError, why="not as the format says"):
    if not condition: raise fault(why)
def sha_of(pieces): return functools.reduce(lambda whole, piece: whole.update(piece) or whole, pieces, hashlib.sha256()).digest()
def sha(*pieces): return sha_of(pieces)
def plain_text(text): return "".join(letter if letter.isprintable() else "?" for letter in text)
def es256(key, signature, signed, raw=True):
    require(isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) and (not raw or len(signature) == 64))
    encoded = utils.encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:])) if raw else signature; key.verify(encoded, signed, ec.ECDSA(hashes.SHA256()))
def walk(data, at=0):
    """Type, begin, begin of the content and end of every box from `at` on."""
    while at < len(data):
        size, kind, header = int.from_bytes(data[at:at + 4]), bytes(data[at + 4:at + 8]), 8
        if size == 1: size, header = int.from_bytes(data[at + 8:at + 16]), 16
        if len(data) - at < header or size > len(data) - at: raise Beyond
        require(size >= header and all(0x20 <= letter < 0x7F for letter in kind)); yield kind, at, at + header, at + size; at += size
def boxes(data): return [(kind, data[inside:end]) for kind, at, inside, end in walk(data) if require(inside == at + 8) is None]
def plain(it, depth=16):
    """Whether nothing but maps, lists, text, bytes, whole numbers, dates and COSE_Sign1 stand in a decoded item."""
    if isinstance(it, cbor2.CBORTag): return it.tag == 18 and depth > 1 and plain(it.value, depth - 1)
    if isinstance(it, (list, tuple, Mapping)): return depth > 1 and all(plain(part, depth - 1) for part in ([*it, *it.values()] if isinstance(it, Mapping) else it))
    return type(it) in (str, bytes, bool, type(None), datetime) or (type(it) is int and -2**64 <= it < 2**64)
def cbor(data): require(len(data) <= MAX_CBOR); value = cbor2.loads(data); require(plain(value) and cbor2.dumps(value) == data); return value
def fits(value, form):
    """Whether a decoded item has the form that the device writes; nothing else is ever taken for signed fields."""
    if isinstance(form, dict): return type(value) is dict and all(key in value and fits(value[key], it) for key, it in form.items())
    if isinstance(form, list): return type(value) is list and len(value) == len(form) and all(map(fits, value, form))
    if isinstance(form, tuple): return any(fits(value, it) for it in form)
    if isinstance(form, range): return type(value) is int and value in form
    if isinstance(form, re.Pattern): return type(value) is type(form.pattern) and form.fullmatch(value) is not None
    return isinstance(value, form) if isinstance(form, type) else value is None if form is None else form(value)
def sign1(value, key=None, payload=None):
    """The parts of a COSE_Sign1 (RFC 9052), ES256; verified when a key is given."""
    require(value.tag == 18 and len(value.value) == 4 and cbor(value.value[0])[1] == -7); protected, unprotected, inside, signature = value.value; require(type(inside) in (bytes, type(None)) and isinstance(unprotected, Mapping))
    if key is not None: es256(key, signature, cbor2.dumps(["Signature1", protected, b"", inside if payload is None else payload]))
    return value.value
def superbox(data):
    """Kind, label, hashed bytes, CBOR contents and children of a JUMBF superbox."""
    parts = boxes(data); require(parts[0][0] == b"jumd" and parts[0][1][4:17] == JUMBF_SUFFIX and all(kind in (b"jumb", b"cbor") for kind, _ in parts[1:]))
    return parts[0][1][:4], parts[0][1][17:-1].decode("ascii"), data, [inner for kind, inner in parts[1:] if kind == b"cbor"], [superbox(inner) for kind, inner in parts[1:] if kind == b"jumb"]
def without_stamp(box, signature):
    """The box as the device sealed it if a time-stamp (RFC 3161, not judged here) was put in later, else None; nothing may hide beside it."""
    protected, header, _, raw = cbor(signature).value
    if "sigTst2" not in header: return None
    made = lambda extra, padding=256: cbor2.dumps(cbor2.CBORTag(18, [protected, {**extra, "pad": bytes(padding)}, None, raw]))
    filled, token = lambda extra: made(extra, 256 + len(signature) - len(made(extra))), header["sigTst2"]["tstTokens"][0]["val"]
    require(isinstance(token, bytes) and len(token) <= 8192 and box.endswith(signature)); require(filled({"sigTst2": {"tstTokens": [{"val": token}]}}) == signature)
    return box[:-len(signature)] + filled({})
def as_taken(photo):
    """Sum of a photo as its device wrote it: without a time-stamp that was put in later; of any other file as it is."""
    try:
        at = 4 + int.from_bytes(photo[4:6]) if photo[2:4] == b"\xff\xe0" else 2; end = at + 2 + int.from_bytes(photo[at + 2:at + 4]); store = bytes(photo[at + 12:end]); parts = superbox(boxes(store)[0][1])[4][0][4]
        return sha(photo[:at + 12], without_stamp(store, *(it[3][0] for it in parts if it[1] == "c2pa.signature")) or store, photo[end:])
    except NO: return sha(photo)
def read_manifest(box):
    """The C2PA manifest in its reserved box, its signature and its assertions verified."""
    require(len(box) == MANIFEST_BYTES and box[24:24 + len(PREAMBLE)] == PREAMBLE); ((kind, inner),) = boxes(box[24 + len(PREAMBLE):])
    root, store, _, none, ((child, label, _, nothing, parts),) = superbox(inner); part = {it[:2]: it[3:] for it in parts}
    require((kind, root, store, child, none, nothing, len(parts), len(part)) == (b"jumb", b"c2pa", "c2pa", b"c2ma", [], [], 3, 3))
    ((claim,), no_claims), ((signature,), no_signatures), (no_assertions, listed) = part[b"c2cl", "c2pa.claim.v2"], part[b"c2cs", "c2pa.signature"], part[b"c2as", "c2pa.assertions"]
    sealed = cbor(signature); protected, unprotected, payload, _ = sign1(sealed); chain = cbor(protected)[33] if isinstance(cbor(protected)[33], list) else [cbor(protected)[33]]
    sign1(sealed, x509.load_der_x509_certificate(chain[0]).public_key(), claim); require(len(chain) <= 4 and all(type(it) is bytes for it in chain))
    require(payload is None and set(unprotected) <= {"pad", "sigTst2"} and not unprotected.get("pad", b"").strip(b"\0") and not (no_claims or no_signatures or no_assertions))
    told = [{"url": f"self#jumbf=c2pa.assertions/{it[1]}", "hash": sha(it[2])} for it in listed]; require(cbor(claim)["signature"] == f"self#jumbf=/c2pa/{label}/c2pa.signature" and cbor(claim)["created_assertions"] == told)
    found = {it[1]: cbor(it[3][0]) for it in listed if len(it[3]) == 1 and not it[4]}; require(len(found) == len(told))
    hashed, opening, seal, (session,) = found["c2pa.hash.bmff.v3"], found["cn.liuhen.recording"], found.get("cn.liuhen.seal"), found["c2pa.session-keys"]["keys"]
    require(hashed["exclusions"] == EXCLUSIONS and hashed["alg"] == "sha256" and fits(hashed["hash"], DIGEST) and fits(opening, OPENING) and (seal is None or fits({"opening_signature": b"", **seal}, SEAL)))
    point = session["key"]; require((point[1], point[-1], point[3], type(point[-2]), type(point[-3]), type(session["minSequenceNumber"])) == (2, 1, -7, bytes, bytes, int))
    key = ec.EllipticCurvePublicNumbers(int.from_bytes(point[-2]), int.from_bytes(point[-3]), ec.SECP256R1()).public_key()
    if (dialect := opening["context"].get("vsi_profile")) not in [*DIALECTS]: raise OSError(f"unknown dialect of live signatures 不认识实时签名的写法: {dialect!r:.40}")
    _, _, prefix = DIALECTS[dialect]; bound = chain[0] if prefix is None else prefix + cbor2.dumps(chain[0]); require(sign1(session["signerBinding"], key, bound)[2] == (bound if prefix is None else None)); named = sha(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))[:8]
    return {"chain": chain, "unstamped": without_stamp(box, signature), "flat": hashed["hash"], "opening": opening, "seal": seal, "key": key, "key_id": named, "dialect": DIALECTS[dialect], "live": seal["live_manifest"] if seal else label, "least": session["minSequenceNumber"]}
def read_fragment(data, at, manifest, read):
    """The journal entry of the fragment `styp emsg uuid moof mdat` at `at`, everything verified; raises otherwise."""
    start, found, whole = at, {}, hashlib.sha256()
    for (kind, at, inside, after), wanted in zip(walk(data, start), (b"styp", b"emsg", b"uuid", b"moof", b"mdat"), strict=False):
        require(kind == wanted and inside == at + 8 and (kind == b"mdat" or after - at <= MAX_LOADED))
        if kind != b"emsg": whole.update((at - start).to_bytes(8)); whole.update(data[at:after])
        found[kind], read[0] = (at, after), after
    if len(found) < 5: raise Beyond
    emsg, uuid, moof = (bytes(data[slice(*found[kind])]) for kind in (b"emsg", b"uuid", b"moof")); message, entry = emsg[24 + len(NAMES):], cbor(uuid[24:])
    protected, unprotected, payload, _ = sign1(cbor(message), manifest["key"]); signed, media_at = cbor(payload), found[b"moof"][0]
    require(payload is not None and set(cbor(protected)) == {1, manifest["dialect"][1]} and emsg[8:-len(message)] == NAMES[:-5] + manifest["dialect"][0] + b"\0" + b"".join(number.to_bytes(4) for number in (1000, 0, entry["ms"], entry["seq"] & 0xFFFFFFFF)) and unprotected == {4: manifest["key_id"]} and data[start:start + len(STYP)] == STYP and uuid[8:24] == JOURNAL)
    require(signed["bmffHash"]["hash"] == whole.digest() and signed["manifestId"] == manifest["live"] and signed["sequenceNumber"] == entry["seq"] >= manifest["least"])
    require(fits(entry, ENTRY) and list(entry) == list(ENTRY) and len(uuid) <= 24 + MAX_ENTRY and entry["moof"] == sha(moof)[:8])
    return entry | {"honest": entry["media"] == sha(data[media_at:after]), "head": sha(uuid[24:]), "offset": start, "end": after, "media_at": media_at}
def next_fragment(data, at): return next((match.start() for match in re.compile(FRAGMENT_START, re.DOTALL).finditer(data, at)), len(data))
def read_segment(name, data, whole, tell):
    """All that one file shows by itself; what is wrong goes to `tell`."""
    heads, manifest_at = [], None
    try:
        for kind, at, inside, end in itertools.islice(walk(data), 3):
            if data[inside:inside + 16] == C2PA: manifest_at = at
            heads.append((kind, bytes(data[at:min(end, at + MAX_LOADED)])))
        require([kind for kind, _ in heads] == [b"ftyp", b"uuid", b"moov"]); manifest = read_manifest(heads[1][1]); opening, seal, first = manifest["opening"], manifest["seal"], manifest["opening"]["first_sequence"]
    except NO:
        ours = next_fragment(data, 0) < len(data); foreign = not whole and manifest_at and not ours and int.from_bytes(data[manifest_at:manifest_at + 4]) != MANIFEST_BYTES
        return tell("unreadable" if foreign else "altered" if manifest_at or ours else "untrusted", f"{name}: " + ("a C2PA film, not of a device: use C2PA software 不是设备的录像，请用 C2PA 软件" if foreign else "no readable manifest 没有可读的签名凭证"))
    at, rows, tail, cut, wasted, damage = end, [], [], False, 0, [(kind.decode(),) for kind, content in heads[::2] if sha(content) != opening[kind.decode()]]
    while at < len(data):
        try:
            row = read_fragment(data, at, manifest, read := [at]); at, damage, tail = row["end"], damage + tail + ([] if row["honest"] else [(at, row["end"])]), []
            if row["honest"]: rows.append(row)
        except NO as fault:
            cut, wasted = isinstance(fault, Beyond), wasted + read[0] - at
            end = len(data) if len(tail) + len(damage) >= MAX_PIECES or wasted > 4 * len(data) else next_fragment(data, at + 1); tail, at = [*tail, (at, end)], end
    if tail and not seal: tell("missing", f"{name}: torn from byte 自此残缺 {tail[0][0]}")
    elif tail: damage += tail[:-1] if cut and len(data) < seal["size"] else tail
    for place in damage:
        before = max((row["seq"] for row in rows if place[0] == row["end"]), default=None)
        tell("altered", f"{name}: {'-'.join(map(str, place))} altered 被改" + (f", after fragment 前一片段 {before}" if before else ""))
    if excerpt := rows and not (whole or seal or damage or tail) and rows[0]["seq"] > first and all(after["prev"] == before["head"] and after["seq"] == before["seq"] + 1 for before, after in itertools.pairwise(rows)):
        first = tell("unexplained-gap", f"{name}: excerpt, original signatures hold 节选，原签名有效: {opening['recording']} {rows[0]['seq']}-{rows[-1]['seq']}") or rows[0]["seq"]
    bad, seen, highest = bool(damage), {first - 1: rows[0]["prev"] if excerpt else opening["prior_head"]}, first - 1
    for row in rows:
        if row["seq"] in seen or row["seq"] < highest or seen.get(row["seq"] - 1, row["prev"]) != row["prev"]:
            bad = tell("altered", f"{name}: fragment 片段 {row['seq']} repeated, swapped or foreign 重复、换序或不属于此链") or True
        seen[row["seq"]], highest = row["head"], max(highest, row["seq"])
    last = max(highest, first + seal["fragments"] - 1) if seal else highest
    for before, after in itertools.pairwise([] if damage else [*sorted(seen), last + 1]):
        if after > before + 1: bad = tell("missing", f"{name}: fragments 片段 {before + 1}-{after - 1} missing 缺失") or True
    head = rows[-1]["head"] if rows else opening["prior_head"]
    if seal and not bad and (flat_hash(data) != manifest["flat"] or head != seal["head"]): tell("altered", f"{name}: the seal does not fit the file 封存与文件内容不符")
    if manifest["unstamped"]: tell("complete", f"{name}: bears a time-stamp, not judged here 带有时间戳，此处不核验；liuhen-verify --tsa-root")
    return manifest | {"name": name, "at": manifest_at, "number": opening["segment"], "first": first, "last": last, "head": seal["head"] if seal else head, "rows": rows}
def flat_hash(data):
    """C2PA 2.4 section 9.2.4: every box but ftyp, mfra and the manifest's, each after its offset."""
    covered = ((at, end) for kind, at, inside, end in walk(data) if kind not in (b"ftyp", b"mfra") and (kind != b"uuid" or data[inside:inside + 16] != C2PA))
    return sha_of(piece for at, end in covered for piece in (at.to_bytes(8), data[at:end]))
def check_recording(segments, whole, tell):
    heard, muted, spans, gaps, told, empty = [], False, [], [], [], empty_gaps(events_of(segments))
    for segment in segments:  # an explanation counts only where it can have been heard
        for row in segment["rows"]:
            turns = [event[0] in ("mute-on", "gap-opened") for event in row["evt"] if event[3] in ("muted", "sound-lost")]
            if segment["opening"]["context"].get("sound") is not False and not (muted and all(turns)): heard.append(row["seq"])
            muted = turns[-1] if turns else muted
        spans += [event[5] for row in segment["rows"] for event in row["evt"] if event[0] == "explanation"]
    for segment in segments:
        seal, name, rows, seen = segment["seal"], segment["name"], segment["rows"], set()
        if segment["opening"]["recording"] != segments[0]["opening"]["recording"]: tell("altered", f"{name}: of another recording 属于另一次录制")
        if not seal: tell("unexplained-gap", f"{name}: never sealed, nobody signed where it ends 未封存，结尾没有签名说明")
        elif seal["recovered"] is True: tell("explained-gap", f"{name}: ended by 结束原因 {seal['reason']} (recovered 恢复封存)")
        if seal and seal["gap_count"] > len(seal["gaps"]): tell("unexplained-gap", f"{name}: {seal['gap_count']} gaps, not all listed 中断未能全部列出")
        last = rows[-1]["seq"] if rows else segment["first"] - 1
        for sequence, event in [*((row["seq"], event) for row in rows for event in row["evt"]), *((last, event) for event in (seal["gaps"] if seal else []))]:
            if event[0] in ("gap-opened", "mute-on"): gaps.append((name, sequence, event[2], event[3], event[4])); seen.add(event[3])
        if seal and seal["recovered"] is not True and seal["reason"] not in {*NORMAL, *seen}: gaps.append((name, last, seal["at"][1:], seal["reason"], ""))
    for _, last in (span for span in spans if any(span[0] <= it <= span[1] for it in heard)):
        waiting = [gap for gap in gaps if gap[3] and gap[3] not in BY_DEVICE and gap[1] <= last and gap not in told]
        told += [gap for gap in waiting if gap[3:] == waiting[-1][3:]]  # the last one that waits, and its like
    for gap in gaps: tell("explained-gap" if gap[3] in BY_DEVICE or gap in told else "unexplained-gap", f"{gap[0]}: {clock(gap[2])} gap 中断 {gap[3]} {gap[4]}")
    for before, after in itertools.pairwise([{"number": 0}, *segments] if whole else segments):
        if after["number"] == before["number"]: tell("altered", f"{after['name']}: segment {after['number']} twice 第 {after['number']} 段重复")
        elif after["number"] > before["number"] + 1: tell("missing", f"segments 分段 {before['number'] + 1}-{after['number'] - 1} missing 缺失")
        elif before["number"] and after["opening"]["prior_head"] != before["head"]:
            tell("missing" if after["first"] > before["last"] + 1 else "altered", f"{after['name']}: does not follow 衔接不上 {before['name']}")
    if whole and segments and segments[-1]["seal"] and segments[-1]["seal"]["reason"] == "continued": tell("missing", f"segment 分段 {segments[-1]['number'] + 1} missing 缺失")
    for (segment, before), (other, after) in itertools.pairwise((it, row) for it in segments for row in it["rows"]):
        passed = (after["cap"][1] - before["cap"][1]) // 10**6 - before["ms"] if before["boot"] == after["boot"] else None
        ended = segment is not other and segment["seal"] and segment["seal"]["reason"] not in (*NORMAL, *GOES_ON)
        if after["seq"] == before["seq"] + 1 and not ended and (passed is None or passed > HOLE_MS) and not covered(before, after, empty):
            tell("unexplained-gap", f"{segment['name']}: {clock(before['cap'])} then a hole 之后无说明中断 {passed} ms")
def events_of(segments): return [event for it in segments for event in (*(event for row in it["rows"] for event in row["evt"]), *(it["seal"]["gaps"] if it["seal"] else []))]
def empty_gaps(events):
    """Boot, begin and (boot, time) of the end, or None, of each gap in which nothing was recorded."""
    begun, found = {}, []
    for kind, boot, at, reason, *_ in (event for event in events if event[3] and event[3] not in GOES_ON):
        if kind == "gap-opened": found += [(*begun[reason], None)] if reason in begun else []; begun[reason] = boot, at[1]
        elif kind == "gap-closed" and reason in begun: found.append((*begun.pop(reason), (boot, at[1])))
    return sorted([*found, *((*begin, None) for begin in begun.values())], key=lambda it: it[1])
def covered(before, after, gaps):
    """Whether gaps that meet the hole fill it but for EDGE_MS; one without an end fills the hole it began at."""
    start, stop, edge, met = before["cap"][1] + before["ms"] * 10**6, after["cap"][1], EDGE_MS * 10**6, False; reach = start
    for boot, begin, closed in gaps:
        if {boot, before["boot"], after["boot"], closed[0] if closed else boot} != {boot}: continue
        end = closed[1] if closed else stop if begin >= before["cap"][1] else begin
        if end > start and begin <= min(reach + edge, stop): met, reach = True, max(reach, end)
    return met and reach + edge >= stop
def clock(moment): return f"{EPOCH + timedelta(milliseconds=moment[0], hours=8):%Y-%m-%d %H:%M:%S}+08"
def trusted_path(chain, roots):
    """Common name of the leaf and the dates of the whole path from DER `chain` (leaf first) to one of `roots`."""
    require(1 <= len(chain) <= 4); path = [x509.load_der_x509_certificate(entry) for entry in chain]; require(all(entry.endswith(b"\0" + it.signature) for entry, it in zip(chain, path, strict=True)))
    part = lambda certificate, kind: certificate.extensions.get_extension_for_class(kind).value; other = lambda root: x509.SubjectKeyIdentifier.from_public_key(root.public_key()).digest != part(path[-1], x509.AuthorityKeyIdentifier).key_identifier
    path.append(next(root for root in [*(sorted(roots, key=other) if len(roots) > 1 else roots), None] if root is None or root.subject == path[-1].issuer)); usage, purposes = part(path[0], x509.KeyUsage), part(path[0], x509.ExtendedKeyUsage)
    require(all(type(it.value) in (x509.KeyUsage, x509.ExtendedKeyUsage, x509.BasicConstraints) for entry in path[:-1] for it in entry.extensions if it.critical)); require(usage.digital_signature and not usage.key_cert_sign and not part(path[0], x509.BasicConstraints).ca and x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36") in purposes)
    for depth, (certificate, issuer) in enumerate(itertools.pairwise(path)):
        limits = certificate.verify_directly_issued_by(issuer) or part(issuer, x509.BasicConstraints)
        require(limits.ca and part(issuer, x509.KeyUsage).key_cert_sign and (limits.path_length is None or depth <= limits.path_length))
    return path[0].subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value, max(it.not_valid_before_utc for it in path), min(it.not_valid_after_utc for it in path)
def check_trust(segment, roots, tell):
    try:
        name, begin, end = trusted_path(segment["chain"], roots); require(name == segment["opening"]["device"])
        for _, wall, _, state, _ in (segment["opening"]["opened"], (segment["seal"] or {}).get("at", segment["opening"]["opened"])):
            require(begin <= EPOCH + timedelta(milliseconds=wall) <= end or (state == "unset" and begin <= datetime.now(UTC) <= end))
    except NO: tell("untrusted", f"{segment['name']}: no certificate path to the given root, or out of date 证书不属于所给的根证书或已过期")
def tlv(tag, *inside):
    size = len(body := b"".join(inside)).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([tag, *((128 | len(size), *size) if len(body) > 127 else (len(body),))]) + body
def check_signature(p7s, sums, roots, devices, sealed, tell):
    """SHA256SUMS.p7s: CMS (RFC 5652), ES256, two signed attributes; the one form that is written, byte for byte."""
    verdict = "altered"
    try:
        at, chain, attributes = p7s.index(DATA) + len(DATA) + 4, [], SIGNED_ATTRIBUTES + sha(sums); signature = p7s[p7s.index(attributes) + len(attributes) + len(ES_256) + 2:]
        while p7s[at:at + 2] == b"0\x82": chain.append(p7s[at:at + 4 + int.from_bytes(p7s[at + 2:at + 4])]); at += len(chain[-1])
        leaf = x509.load_der_x509_certificate(chain[0]); issued = tlv(48, leaf.issuer.public_bytes(), tlv(2, leaf.serial_number.to_bytes(leaf.serial_number.bit_length() // 8 + 1)))
        signer = tlv(48, VERSION_1, issued, SHA_256, tlv(160, attributes), ES_256, tlv(4, signature))
        require(p7s == tlv(48, SIGNED_DATA, tlv(160, tlv(48, VERSION_1, tlv(49, SHA_256), tlv(48, DATA), tlv(160, *chain), tlv(49, signer)))))
        es256(leaf.public_key(), signature, tlv(49, attributes), raw=False); verdict = "untrusted"; name, begin, end = trusted_path(chain, roots); require(name in devices or not devices); require(sealed is None or sealed[3] == "unset" or begin <= EPOCH + timedelta(milliseconds=sealed[1]) <= end)
    except NO: tell(verdict, "SHA256SUMS.p7s: not the signature of this device under the given root 不是该设备在所给根证书下对 SHA256SUMS 的签名")
def journal_lines(segments):
    """journal.jsonl as the signed fragments say it must be: canonical JSON, each line chained to the one before."""
    moment, before = lambda boot, told: {"boot": boot, "error_ms": told[3], "monotonic_ms": told[1] // 10**6, "state": told[2], "wall": f"{EPOCH + timedelta(milliseconds=told[0]):%Y-%m-%dT%H:%M:%S}.{told[0] % 1000:03d}Z"}, "0" * 64
    for row in itertools.chain(*(segment["rows"] for segment in segments)):
        line = {"captured": moment(row["boot"], row["cap"]), "signed": moment(row["boot"], row["sig"]), "duration_ms": row["ms"],
                "events": [{"at": moment(event[1], event[2]), "kind": event[0], "note": event[4], "reason": event[3]} | ({"fragments": event[5]} if event[5:] else {}) for event in row["evt"]],
                "file": f"segment-{row['seg']:04d}.mp4", "head": row["head"].hex(), "length": row["end"] - row["media_at"],
                "offset": row["media_at"], "previous": row["prev"].hex(), "previous_line": before, "recording": row["rec"],
                "segment": row["seg"], "sequence": row["seq"], "sha256": row["media"].hex()} | ({"position": dict(zip(WHERE, row["pos"], strict=True))} if row["pos"] else {})
        text = json.dumps(line, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(); before = sha(text).hex(); yield text + b"\n"
def each(folder, names, limit, found, tell):
    """Name and bytes, not read but mapped, of every regular file (at a pipe one would wait for ever); what cannot be read is told, and hides nothing behind it."""
    for name in names:
        try:
            with open(folder / name, "rb", opener=lambda place, flags: os.open(place, flags | getattr(os, "O_NONBLOCK", 0))) as stream:
                require(stat.S_ISREG(os.fstat(stream.fileno()).st_mode), OSError, "no regular file 不是普通文件"); size = stream.seek(0, 2); require(size <= limit)
                with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else memoryview(b"") as data, memoryview(data) as view: found[name] = sha(view).hex(); yield name, view
        except OSError as error: tell("unreadable", f"{name}: {error}"); found.update({} if isinstance(error, FileNotFoundError) else {name: None})
        except ValueError: found[name] = tell("altered", f"{name}: larger than any that a device writes 过大") or ""
def check_sidecars(folder, names, found, segments, roots, intact, tell):
    """Journal, photos and SHA256SUMS with its signature; `found` has the sums of the segments by name."""
    hidden = {it[:-4] for it in names if it.endswith(".enc")} | {"journal.jsonl" for it in names if it.endswith(".mp4.enc")}; named, beside = {event[4] for event in events_of(segments) if event[0] == "photo"}, {}; locked = {bytes(data[40:72]).hex() for _, data in each(folder, [it for it in names if it.startswith("photo-") and it.endswith(".jpg.enc")], MAX_PHOTO + 1024, {}, tell) if data[:8] == b"LIUHENP1"}  # the head tells which photo it is
    for _, told in each(folder, [it for it in names if it == "journal.jsonl"], MAX_JOURNAL, found, tell):  # begins with what the segments say, or with something else
        if intact and (at := functools.reduce(lambda at, line: at + len(line) if at >= 0 and told[at:at + len(line)] == line else -1, journal_lines(segments), 0)) < len(told): tell("altered" if at < 0 else "missing", "journal.jsonl is not what the segments say, or tells of more 与录像中签名的日志不符，或还记有后面的片段")
    for name, data in each(folder, [it for it in names if it in ("SHA256SUMS", "SHA256SUMS.p7s")], MAX_SIDECAR, {}, tell): beside[name] = bytes(data)
    sums, devices = beside.get("SHA256SUMS", b""), {segment["opening"]["device"] for segment in segments}
    lines = [re.fullmatch(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._-]{0,127})", line) for line in sums.decode("ascii", "replace").splitlines()]; told = {line[2]: line[1] for line in lines if line}
    for name, data in each(folder, [it for it in names if it.startswith("photo-") and it.endswith(".jpg")], MAX_PHOTO, found, tell):
        if (sealed := as_taken(data).hex()) != found[name]: found[name] = tell("complete", f"{name}: bears a time-stamp, not judged here 带有时间戳，此处不核验；liuhen-verify --tsa-root") or sealed
        if f"{name}.enc" in names and found[name] not in {*named, told.get(name)}: tell("altered", f"{name}: not the photo that lies encrypted beside it 与旁边的加密照片无关")
        elif not sums and found[name] not in named: tell("unreadable", f"{name}: named nowhere, only liuhen-verify can judge it 无处记载此照片，请用 liuhen-verify")
    if len(lost := named - {*found.values()} - locked) > [*found.values()].count(None): tell("missing", f"photos that the signed journal names 日志所载照片不在: {' '.join(sorted(lost))}")
    if others := [it for it in names if it not in found and it not in beside]: tell("complete", f"also there, not judged 未核验: {len(others)}, {' '.join(others[:9])}")
    if not told or None in lines or len(lines) > MAX_SUMS or len({line[0] for line in lines}) > len(told): return tell("altered", "SHA256SUMS: not in its form 格式不对") if "SHA256SUMS" in beside else None
    for name in sorted(found.keys() | told.keys()):
        if found.get(name, "") not in (told.get(name), None) and (name in found or name not in hidden): tell("altered" if name in found else "missing", f"{name}: not as SHA256SUMS says 与 SHA256SUMS 不符")
    if "SHA256SUMS.p7s" in beside: check_signature(beside["SHA256SUMS.p7s"], sums, roots, devices, next((it["seal"]["at"] for it in reversed(segments) if it["seal"]), None), tell)
def verify(path, roots):
    """(verdict, findings, segments) of a folder, or of one file by itself."""
    findings, found, segments, whole, tell = [], {}, [], path.is_dir(), lambda verdict, text: findings.append((verdict, text)); names, folder = (sorted(it.name for it in path.iterdir()), path) if whole else ([path.name], path.parent)
    films, locked = [it for it in names if not whole or (it.startswith("segment-") and it.endswith(".mp4"))], [it for it in names if it.endswith((".mp4.enc", ".jpg.enc"))]
    require(whole or path.suffix.lower() not in (".jpg", ".jpeg", ".enc"), why=f"{path}: photos are not judged here, encrypted files neither: use liuhen-verify 此程序不判照片与加密文件"); require(len(films) <= MAX_SUMS, why=f"{path}: too many files for one recording 文件过多，不像一次录制"); [tell("unreadable", f"{it}: encrypted, only liuhen-verify --key judges it 已加密，请用 liuhen-verify --key") for it in locked]
    for name, data in each(folder, films, MAX_SEGMENT, found, tell):
        segment = read_segment(name, data, whole, tell); segments += [segment] if segment else []
        if segment and segment["unstamped"]: found[name] = sha(data[:segment["at"]], segment["unstamped"], data[segment["at"] + MANIFEST_BYTES:]).hex()  # the list is of the files as they were sealed
    if not whole and findings and findings[0][0] == "unreadable": raise OSError(findings[0][1])
    if whole and not found and not locked: tell(*(("unreadable", "a masked film, for C2PA software 遮挡片段，请用 C2PA 软件") if any(it.startswith("masked-") for it in names) else ("missing", "no segments in this folder 文件夹中没有任何分段文件")))
    segments.sort(key=lambda it: it["number"]); check_recording(segments, whole and not any(it.endswith(".mp4.enc") for it in locked), tell); intact = not any(verdict in ("altered", "missing", "untrusted", "unreadable") for verdict, _ in findings)
    if whole: check_sidecars(path, names, found, segments, roots, intact, tell)
    [check_trust(segment, roots, tell) for segment in segments]; return max((verdict for verdict, _ in findings), key=RANK.index, default="complete"), findings, segments
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter); parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a recording's folder, or one .mp4 录制文件夹或单个文件")
    parser.add_argument("--root", required=True, action="append", type=Path, help="root.pem of the district 本区根证书，可多次给出"); parser.add_argument("--json", action="store_true")
    asked, worst = parser.parse_args(), "complete"; sys.stdout.reconfigure(errors="replace")
    try: roots = [root for place in asked.root if require(place.is_file(), OSError, "no file 不是文件") is None for root in x509.load_pem_x509_certificates(place.open("rb").read(MAX_SIDECAR))]
    except (OSError, ValueError) as error: parser.exit(2, f"--root {', '.join(map(str, asked.root))}: {error} 请用 --root 指定本区的 root.pem\n")
    for path in [part for it in asked.paths for part in (it.is_dir() and not any(it.glob("segment-*")) and sorted(it.glob("excerpt-*.mp4"))) or [it]]:
        try: verdict, findings, segments = verify(path, roots)
        except (OSError, ValueError) as error: worst = max(worst, "unreadable", key=RANK.index); print(plain_text(str(error)), file=sys.stderr); continue  # the others are still judged
        count, worst = sum(len(segment["rows"]) for segment in segments), max(worst, verdict, key=RANK.index)
        print(json.dumps({"path": str(path), "verdict": verdict, "fragments": count, "findings": findings}) if asked.json else "\n  ".join(map(plain_text, [f"{path}: {verdict} ({count} fragments 片段)", *(f"{it}: {text}" for it, text in findings)])))
    sys.exit(CODES[worst])
if __name__ == "__main__": main()
