import pytest

from tests.agent.evidence.bench import Authority, Bench, make_authority


@pytest.fixture(scope="session")
def authority() -> Authority:
    return make_authority()


@pytest.fixture
def bench(authority: Authority) -> Bench:
    return Bench(authority.signer())
