"""The centre's page: who gets in, who sees what, and that no look goes unwritten."""

import json
from collections.abc import Iterator

import pytest

from agent.errors import OperatorFault
from provisioning.center.config import read_config
from provisioning.center.export_ledger import check_lines
from provisioning.center.page.door import ALLOWED, LINK_S, SESSION_S, Role, Visitor, doorway
from provisioning.center.page.door import Page as PageName
from provisioning.center.page.frame import LOOKS
from provisioning.center.page.server import COOKIE
from provisioning.fleet.identity_files import write_trust
from tests.provisioning.center_bench import A, Center, Keys
from tests.provisioning.district import Chain, events_topic, sealed_batch, sealed_status, state_topic
from tests.provisioning.page_bench import HOST, HOSTS, PageBench


@pytest.fixture(scope="module")
def holders(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    made = Keys(tmp_path_factory.mktemp("keys"))
    write_trust(made.receiver, made.district.authority)
    return made


class Page(PageBench):
    """The application over a centre with one recording of A, asked without a network."""

    def __init__(self, holders: Keys) -> None:
        folder = holders.receiver
        for place in folder.glob(f"{LOOKS}"):
            place.unlink()
        self.center = Center(holders, folder)
        super().__init__(read_config(folder / "center.toml"), self.center.store, self.center.clock)


@pytest.fixture
def page(holders: Keys) -> Iterator[Page]:
    made = Page(holders)
    yield made
    made.center.store.close()
    for file in made.config.folder.glob("center.db*"):
        file.unlink()


@pytest.fixture
def told(page: Page) -> Page:
    """With events of A: a birth, a recording's head, one alarm."""
    chain = Chain(A)
    page.center.take(sealed_status(page.center.a, A, 1), state_topic(A))
    bodies = [*chain.add(2), chain.add_head("R000001", 30, "ab" * 32)]
    page.center.take(sealed_batch(page.center.a, bodies), events_topic(A))
    page.center.take(b"garbage", events_topic(A))
    page.center.receipt_after_restart()
    return page


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "path",
    ["/", "/device/REC-0001", "/proof/REC-0001/1", "/looks", "/recordings", "/recording/REC-0001-R000001", "/review",
     "/film/REC-0001-R000001/segment-0001.mp4", "/review/T-1", "/review/T-1/packet", "/reports", "/ledger"],
)  # fmt: skip
async def test_nobody_sees_anything_without_a_session(told: Page, path: str) -> None:
    assert (await told.ask(path))[0] == 401
    assert (await told.ask(path, f"{COOKIE}=guessed"))[0] == 401
    assert told.looked == []


async def test_link_lets_in_once_and_only_by_its_form(told: Page) -> None:
    secret = told.links.invite(Visitor("示例-000003", Role.AUDITOR), told.clock.read().wall)
    for _ in range(2):  # a program that looks at links does not use it up
        assert secret in (await told.ask(f"/enter?k={secret}"))[1]
    assert (await told.ask("/enter", form={"k": secret}))[0] == 303
    cookie = told.headers["set-cookie"].partition(";")[0]
    assert "HttpOnly" in told.headers["set-cookie"]
    assert (await told.ask("/", cookie))[0] == 200
    assert (await told.ask("/enter", form={"k": secret}))[0] == 403
    assert (await told.ask("/leave", cookie, form={}))[0] == 200
    assert (await told.ask("/", cookie))[0] == 401


async def test_link_and_session_end(told: Page) -> None:
    late = told.links.invite(Visitor("示例-000003", Role.OPERATOR), told.clock.read().wall)
    told.clock.step((LINK_S + 1) * 1000)
    assert (await told.ask("/enter", form={"k": late}))[0] == 403
    cookie = told.cookie(Role.OPERATOR)
    told.clock.step((SESSION_S + 1) * 1000)
    assert (await told.ask("/", cookie))[0] == 401


PLACES = {
    PageName.FLEET: "/", PageName.RECORDINGS: "/device/REC-0001", PageName.PROOF: "/proof/REC-0001/3",
    PageName.LOOKS: "/looks", PageName.REVIEW: "/review", PageName.REPORTS: "/reports", PageName.LEDGER: "/ledger",
}  # fmt: skip


@pytest.mark.parametrize("role", Role)
async def test_each_role_sees_its_own_pages_and_is_offered_no_other(told: Page, role: Role) -> None:
    found = {page: (await told.ask(path, told.cookie(role)))[0] for page, path in PLACES.items()}
    assert found == {page: 200 if role in ALLOWED[page] else 403 for page in PLACES}
    menu = (await told.ask("/", told.cookie(role)))[1].partition("</nav>")[0]
    assert {page for page in PageName if f">{page}</a>" in menu} == {
        page for page in PageName if role in ALLOWED[page] and page not in (PageName.PROOF, PageName.ACT)
    }


async def test_parts_are_no_ranks_nobody_enters_acts_and_sees_who_looks() -> None:
    assert not ALLOWED[PageName.ACT] & ALLOWED[PageName.LOOKS]
    assert Role.OPERATOR not in ALLOWED[PageName.RECORDINGS] | ALLOWED[PageName.REVIEW] | ALLOWED[PageName.REPORTS]


async def test_every_look_is_written_before_it_is_answered(told: Page) -> None:
    await told.ask("/device/REC-0001", told.cookie(Role.REVIEWER))
    await told.ask("/proof/REC-0001/3", told.cookie(Role.AUDITOR))
    assert [(it["name"], it["role"], it["device"], it["what"]) for it in told.looked] == [
        ("示例-000003", "reviewer", "REC-0001", "recordings"),
        ("示例-000003", "auditor", "REC-0001", "proof 3"),
    ]
    assert check_lines((told.config.folder / LOOKS).read_bytes())
    shown = (await told.ask("/looks", told.cookie(Role.AUDITOR)))[1]
    assert all(word in shown for word in ("proof 3", "审计"))
    assert "auditor" not in shown  # a person reads this page


async def test_look_that_cannot_be_written_is_no_look(told: Page) -> None:
    place = told.config.folder / LOOKS
    place.mkdir()
    try:
        status, shown = await told.ask("/device/REC-0001", told.cookie(Role.REVIEWER))
        assert (status, "R000001" in shown) == (503, False)
    finally:
        place.rmdir()


async def test_fleet_and_recordings_show_what_the_centre_knows(told: Page) -> None:
    fleet = (await told.ask("/", told.cookie(Role.REVIEWER)))[1]
    assert all(word in fleet for word in ("REC-0001", "REC-0002", "从未联系", "refused", "最久没有联系", "<svg"))
    device = (await told.ask("/device/REC-0001", told.cookie(Role.REVIEWER)))[1]
    assert all(word in device for word in ("REC-0001-R000001", "ab" * 8, "receiver-1"))
    assert "/proof/" not in device
    proof = json.loads((await told.ask("/proof/REC-0001/3", told.cookie(Role.AUDITOR)))[1])
    assert proof["position"] == 2


async def test_device_that_is_none_or_unknown_is_told(told: Page) -> None:
    cookie = told.cookie(Role.REVIEWER)
    for path in ("/device/REC-0009", "/device/..", "/device/x%00", "/nothing"):
        assert (await told.ask(path, cookie))[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "host", "origin", "status"),
    [
        ("GET", "/", HOST, None, None),
        ("GET", "/", "evil.example", None, 421),
        ("GET", "/", HOST, "http://evil.example", 403),
        ("POST", "/enter", HOST, f"http://{HOST}", None),
        ("POST", "/enter", HOST, None, 403),
        ("POST", "/", HOST, f"http://{HOST}", 405),
        ("DELETE", "/looks", HOST, None, 405),
    ],
)
async def test_foreign_page_cannot_use_a_browser(
    method: str, path: str, host: str, origin: str | None, status: int | None
) -> None:
    assert doorway(HOSTS).refusal(method, path, host, origin) == status


async def test_answers_carry_the_policy_and_a_foreign_host_gets_none(told: Page) -> None:
    assert (await told.ask("/", told.cookie(Role.OPERATOR), host="evil.example"))[0] == 421
    await told.ask("/", told.cookie(Role.OPERATOR))
    assert "default-src 'none'" in told.headers["content-security-policy"]


async def test_more_than_a_name_is_no_name(told: Page) -> None:
    for name in ("", "示" * 61, "a\nb"):
        with pytest.raises(OperatorFault, match="--name"):
            told.links.invite(Visitor(name, Role.OPERATOR), told.clock.read().wall)
    assert told.links.redeem("../x", told.clock.read().wall) is None
