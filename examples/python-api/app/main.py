"""The usage API of an agent gateway: it passes chat completions on and keeps the bill."""

import os
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import httpx
from fastapi import FastAPI, Header, HTTPException, Query
from pydantic import AwareDatetime, BaseModel, Field

from app.ledger import Ledger
from app.pricing import PriceTable, UnknownModel
from app.summary import UsageRow, summarize

UPSTREAM_TIMEOUT_SECONDS = 60

prices = PriceTable.read(Path(os.environ.get("PRICES_FILE", Path(__file__).parent.parent / "prices.json")))
ledger = Ledger(os.environ.get("DATABASE_URL", "sqlite:///usage.db"))
api = FastAPI(title="Agent gateway usage", version="1.0.0")


class CallIn(BaseModel):
    team: str = Field(min_length=1, max_length=80)
    model: str
    input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)
    latency_ms: float = Field(ge=0)
    at: AwareDatetime | None = None


class CallOut(BaseModel):
    id: int
    cost_usd: Decimal


class ChatRequest(BaseModel, extra="allow"):
    model: str
    messages: list[dict]


@api.get("/healthz")
def health() -> dict[str, str]:
    return {"status": "ok", "prices_as_of": prices.as_of}


@api.get("/v1/models")
def models() -> list[str]:
    return prices.models


@api.post("/v1/calls", status_code=201)
def add_call(call: CallIn) -> CallOut:
    cost_usd = cost_or_refuse(call.model, call.input_tokens, call.output_tokens)
    call_id = ledger.add(
        team=call.team,
        model=call.model,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        latency_ms=call.latency_ms,
        cost_usd=cost_usd,
        at=call.at,
    )
    return CallOut(id=call_id, cost_usd=cost_usd)


@api.get("/v1/usage")
def usage(
    since: Annotated[AwareDatetime | None, Query()] = None,
    until: Annotated[AwareDatetime | None, Query()] = None,
) -> list[UsageRow]:
    last = until or datetime.now(timezone.utc) + timedelta(seconds=1)
    first = since or last - timedelta(days=30)
    if first >= last:
        raise HTTPException(422, f"since is {first.isoformat()}: expected a time before {last.isoformat()}")
    return summarize(ledger.between(first, last))


@api.post("/v1/chat/completions")
async def complete(request: ChatRequest, x_team: Annotated[str, Header()]) -> dict:
    """Passes the request on to an OpenAI-compatible provider and books what it used."""
    upstream = os.environ.get("UPSTREAM_URL")
    if upstream is None:
        raise HTTPException(503, "UPSTREAM_URL is not set: this gateway only keeps the books")
    cost_or_refuse(request.model, 0, 0)
    started = time.perf_counter()
    async with httpx.AsyncClient(timeout=UPSTREAM_TIMEOUT_SECONDS) as client:
        response = await client.post(
            f"{upstream}/chat/completions",
            json=request.model_dump(),
            headers={"authorization": f"Bearer {os.environ.get('UPSTREAM_KEY', '')}"},
        )
    if response.is_error:
        raise HTTPException(502, f"the provider answered {response.status_code}")
    answer = response.json()
    used = answer["usage"]
    ledger.add(
        team=x_team,
        model=request.model,
        input_tokens=used["prompt_tokens"],
        output_tokens=used["completion_tokens"],
        latency_ms=(time.perf_counter() - started) * 1000,
        cost_usd=cost_or_refuse(request.model, used["prompt_tokens"], used["completion_tokens"]),
    )
    return answer


def cost_or_refuse(model: str, input_tokens: int, output_tokens: int) -> Decimal:
    try:
        return prices.cost(model, input_tokens, output_tokens)
    except UnknownModel as error:
        raise HTTPException(422, str(error)) from error
