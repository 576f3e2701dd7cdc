"""The officer's code (亮证): a short-lived signed text, shown as a QR code, that a kiosk checks without a network.

    LH1.<base64url of canonical JSON>.<base64url of the signature>

The recorder's evidence key signs (ES256 over `DOMAIN` and the JSON's bytes); the checker needs the district's trust
list and personnel list, nothing else. A code proves that this recorder vouches for this certificate now; who stands
there is for the eyes, against the photo on the certificate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.duty.armour import armoured, bare
from agent.duty.case_facts import Label
from agent.duty.officers import Demand, personal_labels
from agent.duty.roster import Officer, Roster
from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.identifiers import DeviceId, District, device_id, district
from agent.wire.instant import BEIJING
from agent.wire.signing import Signer, verify_raw
from agent.wire.trust import Role, TrustList

PREFIX, DOMAIN = "LH1", b"liuhen identity code v1\n"
INCOMPLETE = "身份码不完整。请重新扫描。"
GOOD_FOR = timedelta(minutes=5)  # ours: long enough to be scanned, too short to be passed on
SKEW = timedelta(minutes=2)  # ours: two devices with NTP or GNSS are closer; one without says so
OLD_CODE = "时钟未校准，无法判断身份码是否过期，可能是以前的旧码。请让执法人员当面重新出示，并核对证件。"
MAX_CHARACTERS = 1200  # ours: a QR code that a kiosk's scanner still reads


@dataclass(frozen=True)
class IdentityCode:
    """`certificate` as enrolled on `device`; `task` a number without names, empty without a task; `nonce` makes each
    code another one; `clock_set` False says that the device does not know the time."""

    place: District
    device: DeviceId
    certificate: str
    unit: str
    task: str
    issued: datetime
    nonce: str
    clock_set: bool = True

    def encode(self) -> bytes:
        """The canonical JSON."""
        return canonical.encode(
            {
                "c": self.certificate,
                "d": self.device,
                "i": canonical.timestamp(self.issued),
                "k": self.clock_set,
                "n": self.nonce,
                "p": self.place,
                "t": self.task,
                "u": self.unit,
            }
        )


@dataclass(frozen=True)
class CheckedCode:
    """A genuine code and what the personnel list says; `officer` None when he is not on it, `listed` whether there was
    a list to look into. `doubts` are Chinese lines, none when nothing speaks against him."""

    code: IdentityCode
    officer: Officer | None
    labels: tuple[Label, ...]
    doubts: tuple[str, ...] = ()
    listed: bool = True


def sign_code(code: IdentityCode, signer: Signer) -> str:
    """The text of the QR code."""
    payload = code.encode()
    return f"{PREFIX}.{armoured(payload)}.{armoured(signer.sign(DOMAIN + payload))}"


def check_code(
    text: str, *, trust: TrustList, now: datetime, place: District, roster: Roster | None, clock_set: bool = True
) -> CheckedCode:
    """The code when a recorder of this district signed it and it is not over; raises `SenderFault` in one Chinese line
    that a citizen understands. `clock_set`: whether the checker itself knows the time."""
    code = _opened(text, trust, now)
    if code.place != place:
        raise SenderFault("这是其他区域的身份码，本区无法核验。请拨打该区投诉举报电话核实。")
    if code.clock_set and clock_set and not -SKEW <= now - code.issued <= GOOD_FOR + SKEW:
        raise SenderFault("身份码已过期或时间不符。请让执法人员重新出示。", "expired")
    officer = None if roster is None else roster.officers.get(code.certificate)
    labels = personal_labels(officer, Demand(now.astimezone(BEIJING).date()))
    return CheckedCode(code, officer, labels, tuple(_doubts(code, officer, roster, clock_set)), roster is not None)


def _doubts(code: IdentityCode, officer: Officer | None, roster: Roster | None, clock_set: bool) -> list[str]:
    found: Mapping[str, bool] = {
        "本机尚无人员资格清单，无法核对执法资格。": roster is None,
        "出示设备与清单登记的单位不一致。": officer is not None and officer.unit != code.unit,
        OLD_CODE: not (code.clock_set and clock_set),
    }
    return [text for text, holds in found.items() if holds]


def _opened(text: str, trust: TrustList, now: datetime) -> IdentityCode:
    prefix, *parts = text.strip().split(".")
    if prefix != PREFIX or len(parts) != 2 or len(text) > MAX_CHARACTERS:
        raise SenderFault("这不是执法人员身份码。请对准执法记录仪出示的二维码重新扫描。")
    payload, signature = bare(parts[0], INCOMPLETE), bare(parts[1], INCOMPLETE)
    code = _parsed(payload)
    keys = [
        it for it in trust.credentials.values() if (it.subject, it.role) == (code.device, Role.RECORDER)
    ]  # a device that was given a new key has two
    for credential in keys:
        try:
            verify_raw(credential.public_key, signature, DOMAIN + payload)
        except SenderFault:
            continue
        credential.valid_at(now)
        return code
    raise SenderFault("身份码的签名不属于本区登记的执法记录仪，可能是伪造。请拨打投诉举报电话核实。", "signature")


def _parsed(payload: bytes) -> IdentityCode:
    fields = Fields("身份码", canonical.decode(payload))
    return IdentityCode(
        district(fields.text("p")),
        device_id(fields.text("d")),
        fields.text("c"),
        fields.text("u"),
        fields.text("t"),
        fields.moment("i"),
        fields.text("n"),
        fields.boolean("k"),
    )
