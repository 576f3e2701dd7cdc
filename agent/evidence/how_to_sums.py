"""Steps of HOW-TO-VERIFY.txt that compare files with lists where a plain `sha256sum -c` does not do: for segments and
photos that were time-stamped later, and for the gm profile."""

from collections.abc import Iterator

from agent.evidence.gm_sums import DISTINGUISHING_ID, SM2_PUBLIC_NAME, SM2_SIGNATURE_NAME, SM3SUMS_NAME
from agent.evidence.how_to import LISTED, Step
from agent.evidence.sidecars import JOURNAL_NAME, SUMS_NAME

UNSTAMPED = ".unstamped"  # behind the name of a segment or photo: its manifest as the device sealed it
_BOX_AT = "$((0x$(head -c 4 $f | od -An -tx1 | tr -d ' ')))"  # behind the ftyp box
# Behind APP0, which a JPEG may have, as its third byte (FF) and fourth (E0) say: `agent.evidence.jpeg`.
_SEGMENT_AT = "$((2+$(head -c 6 $f | od -An -tu1 | awk '{print $4==224 ? 2+256*$5+$6 : 0}')))"

REST = Step(
    "其余文件的散列值与清单一致。时间戳本身用 liuhen-verify --tsa-root 核验。",
    "The other files are those of the list. The time-stamps themselves: liuhen-verify --tsa-root.",
    f"ls *{UNSTAMPED} | sed 's/{UNSTAMPED}$//' | grep -vFf - {SUMS_NAME} | sha256sum -c --quiet -",
)


def sums_steps(segments: int, photos: int, gm_key: str | None, files: int) -> Iterator[Step]:
    """Steps for a recording of `files` listed files, of which so many `segments` and `photos` bear a time-stamp and
    have FILE.unstamped beside them; `gm_key` is the id of the SM2 key that signed its SM3 sums, None without."""
    if segments:
        yield _stamped("分段", "segment-*.mp4", _BOX_AT, segments)
    if photos:
        yield _stamped("照片", "photo-*.jpg", _SEGMENT_AT, photos)
    yield REST if segments or photos else LISTED
    if gm_key is not None:
        yield from _gm(gm_key, files - segments - photos)


def _stamped(what: str, names: str, at: str, count: int) -> Step:
    """Put back what stood at `at` in the files of a pattern `names`."""
    return Step(
        f"{what}在封存之后加盖了时间戳；换回封存时的凭证（.unstamped），散列值与清单一致（应有这么多个）。",
        "Time-stamped later: with the manifest as it was sealed, the files are those of the list (so many).",
        f"for u in {names}{UNSTAMPED}; do f=${{u%{UNSTAMPED}}}; at={at}; (head -c $at $f; cat $u; "
        f'tail -c +$((at+$(wc -c <$u)+1)) $f) | sha256sum | sed "s/-$/$f/"; done | grep -cxFf {SUMS_NAME}',
        str(count),
    )


def _gm(key: str, count: int) -> Iterator[Step]:
    yield Step(
        "国密：文件的 SM3 与清单一致（应有这么多个；加盖了时间戳的分段除外）。",
        "gm profile: the SM3 of the files is that of the list (so many; without segments that were time-stamped).",
        f"for f in {JOURNAL_NAME} segment-*.mp4 photo-*.jpg; do "
        f"[ ! -e $f ] || [ -e $f{UNSTAMPED} ] || openssl dgst -sm3 $f; done | "
        f"sed 's/^SM3(/SM3 (/; s/)= /) = /' | grep -cxFf {SM3SUMS_NAME}",
        str(count),
    )
    yield Step(
        "国密：清单带有设备完整性签名（SM2，不是电子签章）。",
        "gm profile: the list bears the device's integrity signature (SM2; not an electronic seal).",
        f"openssl dgst -sm3 -verify {SM2_PUBLIC_NAME} -sigopt distid:{DISTINGUISHING_ID.decode()} "
        f"-signature {SM2_SIGNATURE_NAME} {SM3SUMS_NAME}",
        "Verified OK",
    )
    yield Step(
        "国密：这把 SM2 公钥的编号，就写在设备签名的录像凭证里（下一条命令数出含有它的分段）。",
        "gm profile: the id of that SM2 key stands in what the device signed (the next command finds it there).",
        f"openssl pkey -pubin -in {SM2_PUBLIC_NAME} -outform DER | sha256sum",
        f"{key}  -",
    )
    yield Step(
        "录像凭证里所写的编号。",
        "The id in the signed manifest.",
        f"grep -aoE -m1 {key} segment-*.mp4 | head -n 1",
        key,
    )
