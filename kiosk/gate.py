"""What may come in to the kiosk's pages: only this device's browser, forms only where one stands, nothing from
outside."""

import re

from agent.web.gate import Doorway, policy

POLICY = policy(
    "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'", "connect-src 'self'"
)
FORMS = re.compile("/complain|/complaint|/staff|/painted|/looked")
MAX_BODY_BYTES = 16 * 1024  # reference/kiosk.md 3.5
REFUSED = "此屏只供本机浏览器访问。"


def doorway(hosts: frozenset[str]) -> Doorway:
    """Before every page; `hosts` are the values of Host that are ours."""
    return Doorway(hosts, POLICY, REFUSED, FORMS)
