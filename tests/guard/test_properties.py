"""What holds for whatever comes: generated scopes, calls, functions, budgets."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import tempfile
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from licet import Denied
from licet.budgets import owned
from licet.canonical import digest
from licet.errors import SnapshotError
from licet.manifest import Argument, Budget, Grant
from licet.policy import decide
from licet.policy.engine import weigh
from licet.policy.request import reason
from licet.records import Claim, Reason
from licet.scope import Layer, Scope, compile_grants, layer_of_names
from licet.snapshot import snapshot
from licet.store import SqliteStore
from world import World

FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TOOLS = ("a", "b", "c", "d")
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from(["", "x", "xy", "y", "X", "x\n"]),
    st.lists(st.sampled_from(["x", "y", 1])),
)

# Narrowing ---------------------------------------------------------------------------------------------------------------

RULES = st.one_of(
    st.builds(lambda values: Argument(enum=tuple(values)), st.lists(st.sampled_from(["x", "y", 1, True, None]), min_size=1)),
    st.sampled_from(["x", "x|y", "[xy]{2}", "x?"]).map(lambda pattern: Argument(pattern=pattern)),
    st.integers(-3, 3).map(lambda least: Argument(minimum=least)),
    st.sampled_from(["string", "integer", "array", "boolean"]).map(lambda kind: Argument(type=kind)),
    st.just(Argument(required=True)),
    st.just(Argument()),
)
GRANTS = st.builds(
    lambda arguments, at_most, ask: Grant(arguments=arguments, at_most=at_most, ask=ask),
    st.dictionaries(st.sampled_from(["p", "q"]), RULES, max_size=2),
    st.one_of(st.none(), st.integers(1, 4)),
    st.booleans(),
)
LAYERS: st.SearchStrategy[Layer] = st.one_of(
    st.dictionaries(st.sampled_from(TOOLS), GRANTS, min_size=1, max_size=4).map(lambda grants: compile_grants("grants", grants)),
    st.frozensets(st.sampled_from(TOOLS)).map(lambda names: layer_of_names("names", names)),
)


def passes(scope: Scope, tool: str, plain: dict[str, Any]) -> bool:
    grants = scope.grants_of(tool)
    return bool(grants) and not any(list(grant.refusals(plain, frozenset())) for grant in grants)


@MANY
@given(st.lists(LAYERS, min_size=1, max_size=7), st.sampled_from(TOOLS), st.dictionaries(st.sampled_from(["p", "q"]), VALUES))
def test_narrowing_never_widens(layers: list[Layer], tool: str, plain: dict[str, Any]):
    line = [Scope((layers[0],))]
    for layer in layers[1:]:
        line.append(line[-1].narrow(layer))
    for above, below in itertools.pairwise(line):
        assert above.covers(below)
        assert below.tools <= above.tools
        if passes(below, tool, plain):
            assert passes(above, tool, plain)
        if tool in below.tools:
            assert below.asks(tool) >= above.asks(tool)


LIMITS = st.sampled_from(
    [None, {}, {"arguments": {"value": {"enum": ["x"]}}}, {"arguments": {"value": {"type": "string"}}}, {"at_most": 1}]
)
NARROWINGS = st.one_of(
    st.none(),
    st.lists(st.sampled_from(["note", "share", "open_file"]), unique=True),
    st.dictionaries(st.sampled_from(["note", "share", "open_file"]), LIMITS),
)


@FEW
@given(st.lists(NARROWINGS, min_size=1, max_size=4), st.sampled_from(["note", "share", "open_file"]), st.sampled_from(["x", "y", 1]))
def test_whatever_a_sub_task_allows_every_task_above_it_allows(narrowings: list[Any], tool: str, value: Any):
    """At any depth of delegation, through the guard itself."""
    from licet.records import ToolCall

    call = ToolCall(tool, {"value": value}, known=("value",))
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        world = World(Path(folder))
        stack.enter_context(world.guard)
        line = [stack.enter_context(world.guard.task("work", intent="x", agent="helper", principal="user:a", tools=narrowings[0]))]
        for narrowing in narrowings[1:]:
            with contextlib.suppress(Denied):
                line.append(stack.enter_context(world.guard.delegate("work", agent="helper", intent="x", tools=narrowing)))
        answers = [world.guard.peek(call, task=task) for task in line]
        for above, below in itertools.pairwise(answers):
            assert below == "deny" or above != "deny"


# Deciding ----------------------------------------------------------------------------------------------------------------

REASONS = st.builds(
    lambda effect, observed: Reason("scope.tool", effect, "x", observed=observed), st.sampled_from(["deny", "ask", "flag"]), st.booleans()
)
STRICT = {"allow": 0, "ask": 1, "deny": 2}


@MANY
@given(st.lists(REASONS, max_size=6), st.randoms())
def test_deny_wins_in_any_order(reasons: list[Reason], random: Any):
    shuffled = list(reasons)
    random.shuffle(shuffled)
    one, other = weigh(reasons), weigh(shuffled)
    assert (one.outcome, one.judged) == (other.outcome, other.judged)
    assert (one.outcome == "deny") == any(found.effect == "deny" and not found.observed for found in reasons)


@MANY
@given(st.lists(st.one_of(REASONS, st.just(None)), max_size=6), st.randoms())
def test_checks_in_any_order_and_a_failing_one_denies(found: list[Reason | None], random: Any):
    def check_for(item: Reason | None) -> Callable[[Any, Any], Iterator[Reason]]:
        def check(request: Any, facts: Any) -> Iterator[Reason]:
            if item is None:
                raise LookupError
            yield item

        return check

    checks = [check_for(item) for item in found]
    shuffled = list(checks)
    random.shuffle(shuffled)
    one, other = decide(checks, None, None), decide(shuffled, None, None)
    assert (one.outcome, one.judged) == (other.outcome, other.judged)
    if None in found:
        assert one.outcome == "deny"
        assert "guard.undecided" in one.checks


@pytest.mark.parametrize("answer", [None, False, 0, True])
def test_a_check_that_gives_no_answer_has_not_decided(answer: object) -> None:
    """A forgotten `return` is a denial, not a check that had nothing to say."""
    decision = decide([lambda _request, _facts: answer], None, None)  # type: ignore[list-item,return-value]
    assert (decision.outcome, len(decision.errors)) == ("deny", 1)


@MANY
@given(st.lists(REASONS, max_size=6))
def test_what_is_observed_never_makes_the_outcome_stricter(reasons: list[Reason]):
    without = weigh(found for found in reasons if not found.observed)
    assert weigh(reasons).outcome == without.outcome
    assert STRICT[weigh(reasons).judged] >= STRICT[weigh(reasons).outcome]


def test_every_reason_that_the_engine_makes_is_of_a_known_check():
    with pytest.raises(KeyError):
        reason("no.such-check", "x")


# Wrapped functions ---------------------------------------------------------------------------------------------------------

PLAIN_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8"), max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
).filter(lambda value: not _reserved(value))


def _reserved(value: Any) -> bool:
    if isinstance(value, dict):
        return any(key in ("$bytes", "$opaque") or _reserved(item) for key, item in value.items())
    return isinstance(value, list) and any(_reserved(item) for item in value)


NAMES = ("value", "left", "right", "rest")
OPEN = """\
licet: 1
environment: dev
owners: {o: {name: O, contact: o@acme.example}}
agents: {bot: {owner: o, tasks: [work]}}
tools: {tool: {access: read, egress: false, arguments: {extra: {}, more: {}}}, bare: {access: read, egress: false}}
tasks: {work: {intent: Work, ttl: 10m, tools: {tool: {}, bare: {}}}}
"""


def _ways_to_write() -> dict[str, Callable[[], Callable[..., Any]]]:
    """Every kind of callable, with the signature `(value, /, left, right=7, *rest, flag=False, **more)`."""

    def function(value: Any, /, left: Any, right: Any = 7, *rest: Any, flag: Any = False, **more: Any) -> Any:
        return value, left, right, rest, flag, more

    class Mailer:
        def __call__(self, value: Any, /, left: Any, right: Any = 7, *rest: Any, flag: Any = False, **more: Any) -> Any:
            return value, left, right, rest, flag, more

        def method(self, value: Any, /, left: Any, right: Any = 7, *rest: Any, flag: Any = False, **more: Any) -> Any:
            return type(self).__name__, value, left, right, rest, flag, more

        @classmethod
        def of_class(cls, value: Any, /, left: Any, right: Any = 7, *rest: Any, flag: Any = False, **more: Any) -> Any:
            return cls.__name__, value, left, right, rest, flag, more

        @staticmethod
        def alone(value: Any, /, left: Any, right: Any = 7, *rest: Any, flag: Any = False, **more: Any) -> Any:
            return value, left, right, rest, flag, more

    mailer = Mailer()
    return {
        "function": lambda: function,
        "lambda": lambda: lambda value, /, left, right=7, *rest, flag=False, **more: (value, left, right, rest, flag, more),
        "callable object": lambda: mailer,
        "bound method": lambda: mailer.method,
        "classmethod": lambda: Mailer.of_class,
        "staticmethod": lambda: Mailer.alone,
        "partial": lambda: functools.partial(function, "first"),
        "partial by keyword": lambda: functools.partial(function, flag="set"),
    }


KINDS = _ways_to_write()


def outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    """What a call returns or raises, so that two calls can be compared."""
    try:
        return "returned", call()
    except Denied as denial:
        return "denied", denial.decision.checks
    except Exception as error:
        return "raised", (type(error), error.args)


@pytest.fixture(scope="module")
def open_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("open"), OPEN)
    with world.guard, world.task():
        yield world


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(
    st.lists(PLAIN_VALUES, max_size=4),
    st.dictionaries(st.sampled_from(["left", "right", "flag", "extra", "more"]), PLAIN_VALUES, max_size=3),
)
def test_a_wrapped_callable_returns_what_the_plain_one_does(open_world: World, kind: str, args: list[Any], kwargs: dict[str, Any]):
    """For any arguments; what does not fit the signature, which Python raises as TypeError, the guard refuses."""
    plain = KINDS[kind]()
    twin = open_world.guard.wrap(plain, name="tool")
    expected, got = outcome(lambda: plain(*args, **kwargs)), outcome(lambda: twin(*args, **kwargs))
    if expected[0] == "raised":
        assert got == ("denied", ("scope.argument",))
    else:
        assert got == expected
        assert repr(got) == repr(expected)


SIGNATURES = st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True, max_size=4)


@settings(max_examples=40, deadline=None)
@given(
    SIGNATURES, st.integers(0, 4), st.integers(0, 4), st.integers(0, 4), st.lists(st.integers(), max_size=5),
    st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(), max_size=4),
)  # fmt: skip
def test_any_signature(
    open_world: World, names: list[str], first: int, keyword: int, defaults: int, args: list[int], kwargs: dict[str, int]
):
    """Positional-only, keyword-only and defaults in any number: the twin takes what the plain function takes."""
    text = []
    for index, name in enumerate(names):
        text.append(f"{name}={index}" if index >= len(names) - defaults else name)
    if 0 < first <= len(text):
        text.insert(first, "/")
    if keyword < len(names):
        place = len(text) - keyword
        if place > (text.index("/") if "/" in text else -1) and keyword:
            text.insert(place, "*")
    space: dict[str, Any] = {}
    exec(f"def tool({', '.join(text)}): return dict({', '.join(f'{name}={name}' for name in names)})", space)
    plain = space["tool"]
    expected, got = outcome(lambda: plain(*args, **kwargs)), outcome(lambda: open_world.guard.wrap(plain, name="bare")(*args, **kwargs))
    assert got == (expected if expected[0] == "returned" else ("denied", ("scope.argument",)))


class Trouble(Exception):
    """Raised by tools under test."""


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=5), st.sampled_from([Trouble, KeyError, StopIteration, OSError, RecursionError]))
def test_the_very_exception_object_reaches_the_caller(open_world: World, text: str, kind: type[Exception]):
    error = kind(text)

    def tool() -> None:
        raise error

    with pytest.raises(kind) as raised:
        open_world.guard.wrap(tool, name="bare")()
    assert raised.value is error


STEPS = st.lists(st.one_of(st.just(("next", None)), st.tuples(st.just("send"), st.integers()), st.tuples(st.just("throw"), st.booleans()), st.just(("close", None))), max_size=8)  # fmt: skip


def talker(catches: bool, length: int) -> Iterator[Any]:
    """Yields what it was sent or thrown, and returns how often."""
    got: Any = "begun"
    for turn in range(length):
        try:
            got = yield (turn, got)
        except Trouble as trouble:
            if not catches:
                raise
            got = ("caught", trouble.args)
    return ("returned", length)


def drive(generator: Any, steps: list[tuple[str, Any]]) -> list[Any]:
    """What a generator answers to each step."""
    said: list[Any] = []
    for step, value in steps:
        try:
            if step == "next":
                said.append(next(generator))
            elif step == "send":
                said.append(generator.send(value))
            elif step == "throw":
                said.append(generator.throw(Trouble(value)))
            else:
                said.append(generator.close())
        except StopIteration as stop:
            said.append(("stopped", stop.value))
        except (Trouble, TypeError) as error:
            said.append((type(error), error.args))
    return said


@settings(max_examples=60, deadline=None)
@given(STEPS, st.booleans(), st.integers(0, 3))
def test_a_wrapped_generator_talks_like_the_plain_one(open_world: World, steps: list[tuple[str, Any]], catches: bool, length: int):
    twin = open_world.guard.wrap(lambda: talker(catches, length), name="bare")
    direct = open_world.guard.wrap(functools.partial(talker, catches, length), name="bare")
    expected = drive(talker(catches, length), steps)
    assert drive(twin(), steps) == expected
    assert drive(direct(), steps) == expected


async def atalker(catches: bool, length: int) -> Any:
    got: Any = "begun"
    for turn in range(length):
        try:
            got = yield (turn, got)
        except Trouble as trouble:
            if not catches:
                raise
            got = ("caught", trouble.args)


async def adrive(generator: Any, steps: list[tuple[str, Any]]) -> list[Any]:
    said: list[Any] = []
    for step, value in steps:
        try:
            if step == "next":
                said.append(await anext(generator))
            elif step == "send":
                said.append(await generator.asend(value))
            elif step == "throw":
                said.append(await generator.athrow(Trouble(value)))
            else:
                said.append(await generator.aclose())
        except StopAsyncIteration:
            said.append("stopped")
        except (Trouble, TypeError) as error:
            said.append((type(error), error.args))
    await generator.aclose()
    return said


@settings(max_examples=60, deadline=None)
@given(STEPS, st.booleans(), st.integers(0, 3))
def test_a_wrapped_async_generator_talks_like_the_plain_one(open_world: World, steps: list[tuple[str, Any]], catches: bool, length: int):
    twin = open_world.guard.wrap(functools.partial(atalker, catches, length), name="bare")

    async def both() -> None:
        assert await adrive(twin(), steps) == await adrive(atalker(catches, length), steps)

    asyncio.run(both())


@settings(max_examples=25, deadline=None)
@given(PLAIN_VALUES, st.booleans())
def test_a_wrapped_coroutine_function_returns_and_raises_like_the_plain_one(open_world: World, value: Any, fails: bool):
    async def tool(value: Any) -> Any:
        await asyncio.sleep(0)
        if fails:
            raise Trouble(value)
        return value

    twin = open_world.guard.wrap(tool, name="bare")
    assert outcome(lambda: asyncio.run(twin(value))) == outcome(lambda: asyncio.run(tool(value)))


# No body on a deny -------------------------------------------------------------------------------------------------------


def _bodies(ran: list[str]) -> dict[str, Callable[[Callable[[Any], Any]], Any]]:
    def function(value: Any) -> None:
        ran.append("function")

    async def coroutine(value: Any) -> None:
        ran.append("coroutine")

    def generator(value: Any) -> Iterator[int]:
        ran.append("generator")
        yield 1

    async def agenerator(value: Any) -> Any:
        ran.append("agenerator")
        yield 1

    def in_thread(tool: Callable[..., Any]) -> None:
        caught: list[BaseException] = []

        def work() -> None:
            try:
                tool(object())
            except Denied as denial:
                caught.append(denial)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        raise caught[0]

    async def cancelled(tool: Callable[..., Any]) -> None:
        running = asyncio.create_task(tool(object()))
        await asyncio.sleep(0)
        running.cancel()
        await running

    async def exhausted(tool: Callable[..., Any]) -> None:
        async for _ in tool(object()):
            pass

    return {
        "sync": lambda wrap: wrap(function)(object()),
        "async": lambda wrap: asyncio.run(wrap(coroutine)(object())),
        "generator": lambda wrap: list(wrap(generator)(object())),
        "async generator": lambda wrap: asyncio.run(exhausted(wrap(agenerator))),
        "thread": lambda wrap: in_thread(wrap(function)),
        "cancelled": lambda wrap: asyncio.run(cancelled(wrap(coroutine))),
    }


@pytest.mark.parametrize("form", _bodies([]))
@pytest.mark.parametrize("why", ["no-task", "unknown-tool", "unjudgeable", "expired", "asked", "budget"])
def test_no_body_runs_on_a_deny(tmp_path: Path, form: str, why: str):
    world = World(tmp_path)
    ran: list[str] = []
    name = {"unknown-tool": "nowhere", "asked": "risky"}.get(why, "note")
    with world.guard, contextlib.ExitStack() as stack:
        if why != "no-task":
            stack.enter_context(world.task("confirm" if why == "asked" else "work"))
        if why == "expired":
            world.clock.advance(601)
        if why == "budget":
            name = "stream"
            stream = world.tool("stream")
            for _ in range(20):
                stream()
        with pytest.raises(Denied):
            _bodies(ran)[form](lambda function: world.guard.wrap(function, name=name))
    assert ran == []


# Snapshots ---------------------------------------------------------------------------------------------------------------

RICH = st.recursive(
    st.one_of(
        PLAIN_VALUES, st.binary(max_size=6), st.binary(max_size=6).map(bytearray), st.decimals(allow_nan=False, allow_infinity=False, places=2),
        st.uuids(), st.dates(), st.datetimes(), st.times(), st.timedeltas(), st.frozensets(st.integers(), max_size=3),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.tuples(inner, inner), st.dictionaries(st.sampled_from(["k", "l"]), inner)),
    max_leaves=6,
)  # fmt: skip


def containers(value: Any) -> Iterator[int]:
    """The identities of everything mutable inside."""
    if isinstance(value, (list, dict, set, bytearray)):
        yield id(value)
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from containers(item)


def types_in(value: Any) -> Iterator[type]:
    """The types of everything inside."""
    yield type(value)
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from types_in(item)


@MANY
@given(RICH)
def test_a_snapshot_is_equal_shares_nothing_and_has_one_digest(value: Any):
    one, other = snapshot({"value": value}), snapshot({"value": value})
    assert one.values["value"] == value
    assert list(types_in(one.values["value"])) == list(types_in(value))
    assert not set(containers(one.values)) & set(containers(value))
    assert not set(containers(one.values)) & set(containers(one.plain))
    assert digest(one.plain) == digest(other.plain)


@MANY
@given(st.dictionaries(st.text(max_size=3), st.one_of(st.just(object()), st.floats(), st.text(st.characters(), max_size=3)), max_size=3))
def test_a_snapshot_is_judgeable_or_refused(value: dict[str, Any]):
    """Never another error, and what comes through always has a digest."""
    try:
        frozen = snapshot({"value": value})
    except SnapshotError:
        return
    assert digest(frozen.plain).startswith("sha256:")


# Budgets -----------------------------------------------------------------------------------------------------------------

AMOUNTS = st.one_of(st.integers(0, 60), st.floats(0, 60, allow_nan=False), st.integers(0, 10**30), st.lists(st.integers(0, 20), max_size=4))
CALLS = st.lists(st.tuples(AMOUNTS, st.lists(st.sampled_from("abcdef"), max_size=3)), max_size=12)


@FEW
@given(CALLS, st.integers(0, 100), st.integers(0, 4))
def test_what_is_allowed_never_exceeds_a_budget_and_denials_take_nothing(calls: list[tuple[Any, list[str]]], limit: int, distinct: int):
    """Compared with sums and sets of the test's own, over random sequences of calls with two budgets."""
    budgets = (
        Budget.model_validate({"sum": "amount", "of": ["tool"], "at_most": limit}),
        Budget.model_validate({"distinct": "to", "of": ["tool"], "at_most": distinct}),
    )
    from licet.budgets import claims

    owner = owned("task", [], budgets)
    total, seen = Fraction(0), set[str]()  # not a Decimal: that rounds
    store = SqliteStore(":memory:")
    for amount, to in calls:
        added = sum(map(Fraction, map(str, amount if isinstance(amount, list) else [amount])), Fraction(0))
        fits = total + added <= limit and len(seen | set(to)) <= distinct
        with store.transaction() as tx:
            wanted = claims(owner, "tool", {"amount": amount, "to": list[Any](to)})
            allowed = all(tx.measure(claim, 0.0) <= claim.limit for claim in wanted)
            if allowed:
                for claim in wanted:
                    tx.reserve(claim, 0.0)
        assert allowed == fits
        if allowed:
            total, seen = total + added, seen | set(to)
    store.close()


CLAIMS = st.one_of(
    st.decimals(0, 50, places=3).map(lambda amount: Claim("t", "sum", "sum", Decimal(100), amount)),
    st.frozensets(st.sampled_from("abc")).map(lambda values: Claim("t", "distinct", "distinct", Decimal(9), values=tuple(sorted(values)))),
    st.just(Claim("t", "rate", "rate", Decimal(9), window=60.0)),
    st.just(Claim("t", "calls", "calls", Decimal(9))),
)


@FEW
@given(st.lists(CLAIMS, max_size=6), CLAIMS)
def test_what_is_given_back_leaves_the_budget_as_it_was(before: list[Claim], claim: Claim):
    store = SqliteStore(":memory:")
    with store.transaction() as tx:
        for earlier in before:
            tx.reserve(earlier, 1.0)
        stood = [tx.measure(each, 2.0) for each in [*before, claim]]
        taken = tx.reserve(claim, 2.0)
        tx.release(taken, 2.0)
        assert [tx.measure(each, 2.0) for each in [*before, claim]] == stood
    store.close()
