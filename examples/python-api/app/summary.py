"""Calls to the table a team lead reads: tokens, cost and latency for each team and model."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pandas as pd
from pydantic import BaseModel

from app.ledger import Call


class UsageRow(BaseModel):
    team: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    latency_p50_ms: float
    latency_p95_ms: float


def summarize(calls: Sequence[Call]) -> list[UsageRow]:
    """One row for each team and model, the dearest first."""
    if not calls:
        return []
    frame = pd.DataFrame(
        {
            "team": [call.team for call in calls],
            "model": [call.model for call in calls],
            "input_tokens": [call.input_tokens for call in calls],
            "output_tokens": [call.output_tokens for call in calls],
            "latency_ms": [call.latency_ms for call in calls],
            "cost_usd": [Decimal(call.cost_usd) for call in calls],
        }
    )
    rows = [
        UsageRow(
            team=team,
            model=model,
            calls=len(group),
            input_tokens=int(group["input_tokens"].sum()),
            output_tokens=int(group["output_tokens"].sum()),
            cost_usd=sum(group["cost_usd"], Decimal(0)),
            latency_p50_ms=float(np.percentile(group["latency_ms"], 50)),
            latency_p95_ms=float(np.percentile(group["latency_ms"], 95)),
        )
        for (team, model), group in frame.groupby(["team", "model"])
    ]
    return sorted(rows, key=lambda row: (-row.cost_usd, row.team, row.model))
