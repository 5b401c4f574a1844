"""The calls that went through the gateway, one row each."""

from collections.abc import Sequence
from datetime import datetime, timezone
from decimal import Decimal

from sqlalchemy import DateTime, String, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool


class Base(DeclarativeBase):
    pass


class Call(Base):
    __tablename__ = "calls"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    team: Mapped[str] = mapped_column(String(80), index=True)
    model: Mapped[str] = mapped_column(String(120))
    input_tokens: Mapped[int]
    output_tokens: Mapped[int]
    latency_ms: Mapped[float]
    # As text: SQLite has no exact decimals.
    cost_usd: Mapped[str] = mapped_column(String(40))


class Ledger:
    def __init__(self, url: str) -> None:
        in_memory = url in ("sqlite://", "sqlite:///:memory:")
        self._engine = create_engine(
            url,
            connect_args={"check_same_thread": False} if url.startswith("sqlite") else {},
            **({"poolclass": StaticPool} if in_memory else {}),
        )
        Base.metadata.create_all(self._engine)

    def add(
        self,
        *,
        team: str,
        model: str,
        input_tokens: int,
        output_tokens: int,
        latency_ms: float,
        cost_usd: Decimal,
        at: datetime | None = None,
    ) -> int:
        call = Call(
            at=(at or datetime.now(timezone.utc)).astimezone(timezone.utc),
            team=team,
            model=model,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            latency_ms=latency_ms,
            cost_usd=str(cost_usd),
        )
        with Session(self._engine) as session:
            session.add(call)
            session.commit()
            return call.id

    def between(self, since: datetime, until: datetime) -> Sequence[Call]:
        # SQLite drops the offset: rows are kept, and asked for, in UTC.
        first, last = since.astimezone(timezone.utc), until.astimezone(timezone.utc)
        with Session(self._engine) as session:
            return list(session.scalars(select(Call).where(Call.at >= first, Call.at < last).order_by(Call.id)))
