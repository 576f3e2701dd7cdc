"""A policy from two signatures over the broker into a recording, by a real daemon; a forged one gets nowhere."""

from agent.wire.device_events import EventType, event_hash
from agent.wire.disclosures import DisclosureKind
from tests.agent.test_app import Site, needs_mosquitto, site  # noqa: F401 - a fixture
from tests.support.center import until
from tests.support.documents import signed, topic_of
from tests.support.policies import policy

LIST, RULES = DisclosureKind.RECORDING_LIST, DisclosureKind.RECORDING_RULES


def told(site: Site, kind: EventType) -> int:  # noqa: F811 - a fixture's name
    return sum(event.type is kind for event, _ in site.center.events.values())


@needs_mosquitto
def test_the_policies_of_the_day_stand_in_the_film_itself(site: Site) -> None:  # noqa: F811 - a fixture
    site.up()
    site.daemon().ready()
    both = (site.keys.editor.signer, site.keys.reviewer.signer)
    for document in (policy(LIST, 3), policy(RULES, 2)):
        site.center.publish(topic_of(document), signed(document, *both), retain=True)
    until(lambda: told(site, EventType.DISCLOSURE_ACCEPTED) == 2, "both policies are taken")
    forged = policy(LIST, 4)
    site.center.publish(topic_of(forged), signed(forged, site.keys.editor.signer))
    until(lambda: told(site, EventType.DISCLOSURE_REFUSED) == 1, "the forgery is told")
    site.mcu.press()
    until(lambda: any("/head/" in it for it in site.center.ids()), "the first head")
    started = next(event for event, _ in site.center.events.values() if event.event_id == "R000001/started")
    assert started.data["policies"] == {"recording-list.main": 3, "recording-rules.main": 2}
    assert started.data["labels"] == []
    (film,) = site.state.glob("recordings/REC-0001-R000001/segment-0001.mp4")
    assert f"recording-list.main=3/{event_hash(policy(LIST, 3).encode())[:16]}".encode() in film.read_bytes()
