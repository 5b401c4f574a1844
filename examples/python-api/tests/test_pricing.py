import unittest
from decimal import Decimal

from app.pricing import Price, PriceTable, UnknownModel

TABLE = PriceTable("2026-11-01", {"small": Price(Decimal("0.12"), Decimal("0.30"))})


class CostOfACall(unittest.TestCase):
    def test_a_million_tokens_each_way_cost_the_sum_of_both_prices(self) -> None:
        self.assertEqual(TABLE.cost("small", 1_000_000, 1_000_000), Decimal("0.42"))

    def test_one_token_is_not_rounded_away(self) -> None:
        self.assertEqual(TABLE.cost("small", 1, 0), Decimal("0.00000012"))

    def test_a_model_without_a_price_is_refused_by_name(self) -> None:
        with self.assertRaisesRegex(UnknownModel, 'model "large" has no price: expected one of small'):
            TABLE.cost("large", 1, 1)
