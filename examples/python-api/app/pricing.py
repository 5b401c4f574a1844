"""What a call to a model costs, from a dated price table."""

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

TOKENS_PER_PRICE = Decimal(1_000_000)


class UnknownModel(LookupError):
    """The price table has no line for the model that was called."""

    def __init__(self, model: str, known: list[str]) -> None:
        super().__init__(f'model "{model}" has no price: expected one of {", ".join(known)}')
        self.model = model


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens."""

    input: Decimal
    output: Decimal


class PriceTable:
    def __init__(self, as_of: str, prices: dict[str, Price]) -> None:
        self.as_of = as_of
        self._prices = prices

    @classmethod
    def read(cls, path: Path) -> "PriceTable":
        table = json.loads(path.read_text(encoding="utf-8"))
        prices = {
            model: Price(Decimal(price["input"]), Decimal(price["output"]))
            for model, price in table["per_million_tokens"].items()
        }
        return cls(table["as_of"], prices)

    @property
    def models(self) -> list[str]:
        return sorted(self._prices)

    def cost(self, model: str, input_tokens: int, output_tokens: int) -> Decimal:
        """The cost of one call in US dollars, exact: it is rounded only where it is shown."""
        price = self._prices.get(model)
        if price is None:
            raise UnknownModel(model, self.models)
        return (price.input * input_tokens + price.output * output_tokens) / TOKENS_PER_PRICE
