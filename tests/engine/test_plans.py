from dataclasses import fields

import pytest

from qsops.engine.plans import BATCH_LIMIT, BODY_LIMIT, MESSAGE_LIMIT, PLANS, Plan

LIMITS = [field.name for field in fields(Plan) if field.name != "name"]


@pytest.mark.parametrize("limit", LIMITS)
def test_a_dearer_plan_allows_no_less(limit: str):
    """From free over payg to pro each limit grows or stays, but for what payg bills and does not refuse."""
    free, payg, pro = (getattr(PLANS[name], limit) for name in ("free", "payg", "pro"))
    assert payg is None or free <= payg
    assert limit in ("schedules", "messages_per_day") or payg <= pro


def test_the_free_plan_is_the_documented_one():
    """The numbers of the management API's example of a free account (reference, section 11)."""
    free = PLANS["free"]
    assert (free.message_bytes, free.messages_per_day, free.endpoints) == (1_048_576, 1_000, 100)
    assert (free.url_groups, free.schedules, free.queues) == (1, 10, 10)
    assert (free.queue_parallelism, free.global_parallelism) == (2, 10)
    assert (free.delay_s, free.response_s) == (604_800, 900)
    assert free.dlq_retention_ms == free.log_retention_ms == 259_200_000


def test_every_plan_s_message_fits_where_messages_are_read():
    """What is read of a request is enough for the largest message of any plan, and for a batch of them."""
    assert max(plan.message_bytes for plan in PLANS.values()) == MESSAGE_LIMIT <= BATCH_LIMIT
    assert min(plan.message_bytes for plan in PLANS.values()) >= BODY_LIMIT
