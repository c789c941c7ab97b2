"""Where the company is: its environments, accounts, regions, networks and teams."""

from __future__ import annotations

ENVIRONMENTS = {
    "prod": {"accounts": ["111122223333", "111122224444", "111122225555"], "clusters": ["eks-prod"], "orgs": ["acme"]},
    "stage": {"accounts": ["222233334444", "222233335555"], "clusters": ["eks-stage"], "orgs": []},
    "dev": {"accounts": ["333344445555", "333344446666", "333344447777"], "clusters": ["eks-dev"], "orgs": ["acme-sandbox"]},
}
EDGES = [["dev", "stage"]]
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2")
TEAMS = [
    f"team-{name}"
    for name in ("payments", "search", "orders", "identity", "platform", "data", "ml", "support", "web", "mobile", "billing", "ops")
]
OFFICE = "198.51.100.0/24"
NODES = "10.40.0.0/16"


def nat(account: str, region: str, number: int) -> str:
    """One of the four networks from which an account's things in a region come."""
    return f"52.{16 + sum(map(int, account)) % 60 + REGIONS.index(region) * 61}.{number % 4 * 16 + 3}.0/24"
