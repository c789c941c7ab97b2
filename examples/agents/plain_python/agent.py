"""No framework: decorated functions, a budget that runs out, and a sub-task for another agent.

python examples/agents/plain_python/agent.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from licet import Denied, Guard

guard = Guard.from_file(Path(__file__).with_name("licet.yaml"), state=".demo/plain_python")


@guard.tool
def find_order(number: int) -> dict[str, object]:
    """Look an order up."""
    return {"number": number, "customer": f"customer-{number}@shop.example", "euros": 10 if number == 3 else 45, "lost": True}


@guard.tool
def pay_back(number: int, euros: int) -> str:
    """Pay an order back."""
    return f"paid {euros} euros back for order {number}"


@guard.tool
def send_note(to: str, text: str) -> str:
    """Send a note."""
    return f"told {to}: {text}"


def attempt(what: str, call: Callable[[], object]) -> None:
    """Make one call, as a model would choose it; a refusal is an answer like any other, and the work goes on."""
    try:
        print(f"  {what:<34} {call()}")
    except Denied as denial:
        reason = denial.decision.reasons[0]
        print(f"  {what:<34} refused by {reason.check}: {reason.sentence}")


def main() -> None:
    print("Outside a task nothing runs:")
    attempt("pay_back(1, 45)", lambda: pay_back(1, 45))

    with guard.task(
        "refund-orders", intent="Pay back the orders #1, #2 and #3 if they were lost", agent="refund-bot", principal="user:grace"
    ) as task:
        print("Within the task's limits:")
        attempt("find_order(1)", lambda: find_order(1))
        attempt("pay_back(1, 45)", lambda: pay_back(1, 45))
        attempt("pay_back(number=2, euros=45)", lambda: pay_back(number=2, euros=45))
        print("Beyond them:")
        attempt("find_order(3)", lambda: find_order(3))
        attempt("pay_back(4, 10)", lambda: pay_back(4, 10))  # the user has named no such order
        attempt("pay_back(3, 4500)", lambda: pay_back(3, 4500))
        attempt("pay_back(3, 45)", lambda: pay_back(3, 45))
        attempt("pay_back(3, 10)", lambda: pay_back(3, 10))  # what was refused took nothing from the budget

        print("A sub-task for another agent, with less:")
        with guard.delegate("tell-customer", agent="note-bot", intent="Tell the customer of order #1"):
            attempt("send_note(...)", lambda: send_note("customer-1@shop.example", "It is paid back."))
            attempt("send_note(...) again", lambda: send_note("customer-1@shop.example", "It is paid back!"))
            attempt("pay_back(3, 1)", lambda: pay_back(3, 1))
        try:
            guard.delegate("tell-customer", agent="note-bot", intent="Pay all back", tools=["send_note", "pay_everything_back"])
        except Denied as denial:
            print(f"  {'delegate with more':<34} refused by {denial.decision.reasons[0].check}")

    print(f"The trace: licet task {task.id[:8]} --state .demo/plain_python")


if __name__ == "__main__":
    with guard:
        main()
