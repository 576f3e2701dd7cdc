"""（一）6 规范文书出具: 告知行政相对人执法事由、执法依据、权利义务等内容, from the template to the paper."""

import pytest

from agent.duty.documents import TOLD, Head, Template, check_against_paper, document_number, fill, slip_lines
from agent.duty.policies import PolicyShelf
from agent.errors import OperatorFault
from agent.wire.disclosures import DisclosureKind
from agent.wire.identifiers import DeviceId
from firmware_hooks.slip_printer import compose_slip
from tests.support.policies import NOW, UNIT, policy

TEMPLATES = PolicyShelf(UNIT, [policy(DisclosureKind.DOCUMENT_TEMPLATES)]).in_force(NOW).templates
DEVICE = DeviceId("REC-0001")


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=list(TEMPLATES))
def test_every_document_of_the_department_tells_reason_basis_and_rights_on_paper(template: Template) -> None:
    head = Head(document_number(template, 2026, DEVICE, 1), UNIT, "T-2026-0001", NOW)
    values = {name: f"示例{name}内容" for name in template.fields}
    for told in TOLD:
        with pytest.raises(OperatorFault, match=told):
            fill(template, head, {**values, told: ""})
    document = fill(template, head, values)
    slip = compose_slip(template.title, slip_lines(document), document.code)
    assert slip.missing == ""
    assert all(f"示例{told}内容".encode("gb18030") in slip.data for told in TOLD)
    assert check_against_paper(document.text, document.code) == head.number
