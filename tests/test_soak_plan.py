"""The soak's plan and its orders: dealt from the seed and nothing else."""

from collections import Counter
from itertools import islice

from tooling.soak.modes import GAP
from tooling.soak.orders import HOT_UNITS, TOKENS, Fate, Taste, hot_sku
from tooling.soak.plan import BROKER_RESTARTS, DECK, KILLS, Kind, deal, faults_for

ROUND = sum(card.a_round for card in DECK)


def test_equal_seeds_deal_equal_plans() -> None:
    assert list(islice(deal(7, gap=18), 300)) == list(islice(deal(7, gap=18), 300))
    assert list(islice(deal(7, gap=18), 300)) != list(islice(deal(8, gap=18), 300))


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    short = faults_for(7, checkouts=1_000, gap=18)
    assert list(short) == list(faults_for(7, checkouts=5_000, gap=18))[: len(short)]


def test_every_round_has_the_same_faults_in_another_order() -> None:
    dealt = [fault.kind for fault in islice(deal(7, gap=18), 2 * ROUND)]
    first, second = dealt[:ROUND], dealt[ROUND:]
    assert Counter(first) == Counter(second)
    assert first != second
    assert set(first) == set(Kind)


def test_twenty_thousand_checkouts_meet_what_the_figures_ask_for() -> None:
    for seed in range(5):
        plan = faults_for(seed, checkouts=20_000, gap=GAP)
        assert sum(fault.kind in KILLS for fault in plan) >= 500
        assert sum(fault.is_database_outage for fault in plan) >= 100
        assert sum(fault.kind in BROKER_RESTARTS for fault in plan) >= 25


def test_a_brief_plan_has_every_kind_once_before_any_comes_again() -> None:
    plan = islice(deal(3, gap=5, each_once=True), len(Kind))
    assert sorted(fault.kind for fault in plan) == sorted(Kind)


def test_an_order_depends_on_the_seed_and_its_number_alone() -> None:
    taste = Taste(seed=4)
    assert [taste.order(n) for n in (1, 2, 3)] == [Taste(seed=4).order(n) for n in (1, 2, 3)]
    assert taste.order(1) != Taste(seed=5).order(1)
    assert len({taste.order(n).key for n in range(2_000)}) == 2_000


def test_orders_are_of_every_sort() -> None:
    orders = [Taste(seed=4).order(n) for n in range(3_000)]
    assert {order.fate for order in orders} == set(Fate)
    assert {token.text for token in TOKENS} <= {order.token for order in orders}
    for sort in ("hot", "sent_again", "turned_back", "wait", "cancels_after"):
        assert any(getattr(order, sort) for order in orders), sort
    assert any(order.sends == 2 for order in orders)


def test_neighbours_want_more_of_a_hot_product_than_there_is() -> None:
    orders = [Taste(seed=4).order(n) for n in range(100, 110)]
    assert {hot_sku(order.number) for order in orders} == {"HOT-002"}
    assert sum(order.lines["HOT-002"] for order in orders) > HOT_UNITS
