from tests.agent.duty.facts import STEPS, case


def test_required_steps_that_nobody_marked_are_missing_in_the_lists_order() -> None:
    assert case(steps=(STEPS[4], STEPS[0])).missing == (STEPS[1], STEPS[2], STEPS[3], STEPS[5])
