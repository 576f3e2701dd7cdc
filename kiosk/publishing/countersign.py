"""The two signatures: an editor's first, then another person's as reviewer. Pure."""

from datetime import datetime

from agent.duty.disclosure_rules import ROLE_NAMES, check_two_people, open_two_signatures
from agent.errors import OperatorFault, SenderFault
from agent.wire.disclosures import DISCLOSURE_TYPE
from agent.wire.envelope import add_signature, open_envelope, seal
from agent.wire.signing import CertifiedSigner
from agent.wire.trust import Credential, Role, TrustList


def sign_as_editor(payload: bytes, signer: CertifiedSigner, trust: TrustList, now: datetime) -> bytes:
    """The envelope with the first signature; raises `OperatorFault` when the key is not a trusted editor's."""
    authorise(signer, Role.EDITOR, trust, now)
    return seal(DISCLOSURE_TYPE, payload, [signer])


def sign_as_reviewer(envelope: bytes, signer: CertifiedSigner, trust: TrustList, now: datetime) -> bytes:
    """The envelope with the second signature. Raises `OperatorFault` when the key is not a trusted reviewer's, when
    the editor is the same person or the document has both signatures; `SenderFault` when the first is not good."""
    opened = open_envelope(envelope, DISCLOSURE_TYPE, trust, now)
    editor = opened.signer(Role.EDITOR)
    if len(opened.signers) > 1:
        raise OperatorFault("该文件已有编辑和审核签名。请运行 liuhen-publish release 发布。")
    reviewer = authorise(signer, Role.REVIEWER, trust, now)
    try:
        check_two_people(editor.subject, reviewer.subject)
    except SenderFault as fault:
        raise OperatorFault(str(fault)) from fault
    signed = add_signature(envelope, signer)
    open_two_signatures(signed, trust, now)
    return signed


def authorise(signer: CertifiedSigner, role: Role, trust: TrustList, now: datetime) -> Credential:
    """The credential of `signer` when the trust list gives it `role`; raises `OperatorFault` otherwise."""
    try:
        credential = trust.credential(signer.key_id, now)
    except SenderFault as fault:
        raise OperatorFault(f"{fault} 请检查 --key，或请技术人员更新信任清单。") from fault
    if credential.role is not role:
        held = ROLE_NAMES.get(credential.role, credential.role.value)
        raise OperatorFault(
            f"{credential.subject} 的密钥角色是{held}，不能作{ROLE_NAMES[role]}签名。请换用正确的密钥。"
        )
    return credential
