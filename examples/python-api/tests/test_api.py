import os
import unittest

os.environ["DATABASE_URL"] = "sqlite://"

from fastapi.testclient import TestClient  # noqa: E402

from app.main import api  # noqa: E402

MODEL = "llama-3.3-70b-instruct"


class UsageApi(unittest.TestCase):
    def setUp(self) -> None:
        self.client = TestClient(api)

    def test_books_calls_and_sums_them_up_by_team_and_model(self) -> None:
        for latency_ms in (100, 200, 300):
            answer = self.client.post(
                "/v1/calls",
                json={"team": "search", "model": MODEL, "input_tokens": 1_000_000, "output_tokens": 0, "latency_ms": latency_ms},
            )
            self.assertEqual(answer.status_code, 201)
        self.assertEqual(
            self.client.get("/v1/usage").json(),
            [
                {
                    "team": "search",
                    "model": MODEL,
                    "calls": 3,
                    "input_tokens": 3_000_000,
                    "output_tokens": 0,
                    "cost_usd": "0.36",
                    "latency_p50_ms": 200.0,
                    "latency_p95_ms": 290.0,
                }
            ],
        )

    def test_refuses_a_model_without_a_price(self) -> None:
        answer = self.client.post(
            "/v1/calls", json={"team": "search", "model": "none", "input_tokens": 1, "output_tokens": 1, "latency_ms": 1}
        )
        self.assertEqual(answer.status_code, 422)
        self.assertIn('model "none" has no price', answer.json()["detail"])

    def test_refuses_a_period_that_ends_before_it_starts(self) -> None:
        answer = self.client.get("/v1/usage", params={"since": "2026-11-02T00:00:00Z", "until": "2026-11-01T00:00:00Z"})
        self.assertEqual(answer.status_code, 422)
