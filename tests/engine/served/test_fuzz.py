import os
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import checks
from schemathesis.generation import GenerationMode

from qsops.engine.face.openapi.document import document, undescribed
from qsops.engine.face.openapi.operations import OPERATIONS
from qsops.engine.face.routes import ROUTES
from tests.conformance.servers import DEV_TOKEN, EngineServer

#: How many requests of each kind an endpoint is asked; ``make soak`` asks for more.
EXAMPLES = int(os.environ.get("QSOPS_TESTS_FUZZ_EXAMPLES", "5"))
checks.load_all_checks()
CHECKS = checks.CHECKS.get_by_names(
    ["status_code_conformance", "content_type_conformance", "response_schema_conformance"]
)
AUTHORIZATION = {"Authorization": f"Bearer {DEV_TOKEN}"}
#: Where nothing listens: no request leaves this machine.
HOME = "http://127.0.0.1:9/"
_AWAY = re.compile(r"http", re.IGNORECASE)

SCHEMA = schemathesis.openapi.from_dict(dict(document()))
ENDPOINTS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    with EngineServer(tmp_path_factory.mktemp("fuzzed")) as server:
        yield server


def at_home(value: Any) -> Any:
    """``value`` with every destination in it on this machine."""
    if isinstance(value, str):
        return HOME if _AWAY.search(value) else value
    if isinstance(value, dict):
        return {at_home(name): at_home(one) for name, one in value.items()}
    return [at_home(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", ENDPOINTS)
def test_no_request_is_a_fault_of_ours(label: str, mode: GenerationMode, engine: EngineServer):
    """Whatever an endpoint is asked, as the document has it or not: no 500, and the answer is one of the document's."""

    # A URL has slashes, which no generator puts into one step of a path by itself.
    urls = {name: HOME for name in ("destination", "workflowUrl") if f"{{{name}}}" in label}
    told = {"path_parameters": urls} if urls and mode.is_positive else {}

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck)
    )
    @given(case=ENDPOINTS[label].as_strategy(generation_mode=mode, **told))
    def ask(case: schemathesis.Case) -> None:
        for name in ("path_parameters", "query", "body"):
            setattr(case, name, at_home(getattr(case, name)))
        for name, value in list(case.headers.items()):
            case.headers[name] = at_home(value)
        response = case.call(base_url=engine.url, headers=AUTHORIZATION, timeout=20)
        # 501 is said on purpose, of what this engine does not serve.
        assert response.status_code < 500 or response.status_code == 501, response.text
        case.validate_response(response, checks=CHECKS)

    ask()


def test_the_document_is_for_everybody(engine: EngineServer):
    """It is answered without a token, under its usual name, and as it is built here."""
    answer = httpx.get(f"{engine.url}/openapi.json", trust_env=False)
    assert answer.status_code == 200
    assert answer.json() == document()
    assert httpx.post(f"{engine.url}/openapi.json", trust_env=False).status_code == 401


def test_each_endpoint_is_described():
    """The document is the fold over the routes: one that it tells nothing of is missing from it."""
    assert undescribed() == []
    assert sum(len(methods) for methods in document()["paths"].values()) == len(ROUTES)


def test_options_are_described_once():
    """Each option of a message stands among the parameters of publish, from the table that reads it."""
    parameters = document()["paths"]["/v2/publish/{destination}"]["post"]["parameters"]
    names = [parameter["name"] for parameter in parameters if parameter["in"] == "header"]
    assert {"Upstash-Delay", "Upstash-Retries", "Upstash-Callback", "Upstash-Failure-Callback-Retry-Delay"} <= set(
        names
    )
    assert len(names) == len(set(names))
    assert len(OPERATIONS) == len({(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in OPERATIONS})
