"""What taking logs in and judging them costs: CloudTrail records a second on one core, and the peak of memory at 10^5 and 10^6 records.

Records are made: assumed roles of 200 or 2,000 identities with three keys each over time, 20 operations each, three networks each, an S3
object, an instance or a table as resource, 1.2 to 1.6 KB of JSON, a record every 100 ms, as lines. Reading, parsing, the reader of
CloudTrail, fingerprints, redaction, and keeping in `inventory.db` are all in it, and so is judging: the monitor runs after each `--every`
records, where it goes on from what it kept, as a deployment does it, and once more at the end. Each record must have been judged once.

    python -m benchmarks.ingest [--records N] [--every N] [--json] [--no-memory] [--full]
    python -m benchmarks.ingest --like LOG [--times N]       real records, repeated

Each figure is that of a child process with one thread: `time.process_time` around both, and its peak resident set. A monitor's run costs
most by identity, of which each has been active in 250,000 records: 12 seconds of them at the rate aimed at (20,000 a second). The records
of the runs for memory are made meanwhile, by another process, and come through a pipe. `--full` goes on to 5 * 10^6.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from licet.clock import SystemClock
from licet.ingest.intake import Intake
from licet.ingest.sources import source_of
from licet.inventory.fingerprints import Fingerprints
from licet.inventory.store import FILE, Inventory
from licet.monitor.run import monitor
from licet.monitor.world import Settings

BEGIN = 1_760_000_000.0
SPACING = 0.1  # seconds between two records
OPERATIONS = [
    (service, name, resource)
    for service, names, resource in (
        ("s3", ("GetObject", "PutObject", "ListObjects", "HeadObject", "DeleteObject", "GetBucketLocation", "ListBuckets"), "object"),
        ("dynamodb", ("GetItem", "PutItem", "Query", "UpdateItem", "DescribeTable"), "table"),
        ("ec2", ("DescribeInstances", "DescribeVolumes", "DescribeSubnets", "RunInstances", "DescribeImages"), "instance"),
        ("kms", ("Decrypt", "GenerateDataKey", "Encrypt"), "key"),
        ("sts", ("GetCallerIdentity", "AssumeRole"), "role"),
        ("lambda", ("Invoke", "GetFunction20150331v2"), "function"),
    )
    for name in names
]
AGENTS = (
    "aws-sdk-java/2.20.43 Linux/5.10.184-175.731.amzn2.x86_64 OpenJDK_64-Bit_Server_VM/17.0.7+7-LTS Java/17.0.7 io/sync",
    "Boto3/1.26.90 Python/3.9.16 Linux/5.10.165-143.735.amzn2.x86_64 exec-env/AWS_Lambda_python3.9 Botocore/1.29.90",
    "aws-sdk-go/1.44.180 (go1.19.5; linux; amd64) S3Manager APN/1.0 HashiCorp/1.0 Terraform/1.3.9",
)


def records(number: int, identities: int, seed: int = 1) -> Iterator[bytes]:
    """So many lines, made as they are asked for."""
    rng = random.Random(seed)
    doing = [rng.sample(OPERATIONS, 20) for _ in range(identities)]
    for index in range(number):
        moment = BEGIN + index * SPACING
        yield _record(rng, index, moment, rng.randrange(identities), doing)


def _record(rng: random.Random, index: int, moment: float, who: int, doing: list[Any]) -> bytes:
    service, name, kind = rng.choice(doing[who])
    stamp = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    account, role, period = "111122223333", f"service-{who:04}", int(moment // 40_000)
    key = f"ASIA{(who * 1_000_003 + period % 3 * 7_919):016X}"
    arn = f"arn:aws:iam::{account}:role/{role}"
    parameters: dict[str, Any] = {
        "bucketName": f"acme-data-{who % 50:03}",
        "Host": "s3.eu-west-1.amazonaws.com",
        "key": f"in/{rng.randrange(99_999):05}.json",
    }
    named = f"arn:aws:s3:::acme-data-{who % 50:03}"
    if kind != "object":
        parameters = {
            "tableName": f"orders-{who % 40}",
            "consistentRead": False,
            "returnConsumedCapacity": "NONE",
            "limit": rng.randrange(100),
        }
        named = f"arn:aws:{service}:eu-west-1:{account}:{kind}/{kind}-{who % 40}"
    return json.dumps({
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "AssumedRole", "principalId": f"AROA{who:017X}:i-{who:017x}",
            "arn": f"arn:aws:sts::{account}:assumed-role/{role}/i-{who:017x}",
            "accountId": account, "accessKeyId": key,
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": f"AROA{who:017X}", "arn": arn, "accountId": account, "userName": role},
                "attributes": {"creationDate": stamp, "mfaAuthenticated": "false"}, "ec2RoleDelivery": "2.0",
            },
        },
        "eventTime": stamp, "eventSource": f"{service}.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1",
        "sourceIPAddress": f"10.{who % 200}.{rng.randrange(3)}.{who // 200 * 2 + 1}", "userAgent": AGENTS[who % 3],
        "requestParameters": parameters, "responseElements": None,
        "additionalEventData": {"SignatureVersion": "SigV4", "bytesTransferredOut": rng.randrange(99_999)},
        "requestID": f"{rng.getrandbits(64):016X}",
        "eventID": f"{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}-4000-8000-{index:012x}",
        "readOnly": True, "resources": [{"accountId": account, "type": f"AWS::{service.upper()}::{kind.title()}", "ARN": named}],
        "eventType": "AwsApiCall", "managementEvent": False, "recipientAccountId": account, "vpcEndpointId": f"vpce-{who % 90:017x}",
        "eventCategory": "Data", "tlsDetails": {"tlsVersion": "TLSv1.2", "cipherSuite": "ECDHE-RSA-AES128-GCM-SHA256",
                                                 "clientProvidedHostHeader": f"{service}.eu-west-1.amazonaws.com"},
    }, separators=(",", ":")).encode() + b"\n"  # fmt: skip


def repeated(path: Path, times: int, seed: int = 1) -> Iterator[bytes]:
    """The records of a real log (lines of JSON, also in gzip), so often, each time a day later and under other ids."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        read = [json.loads(line) for line in file if line.strip()]
    rng = random.Random(seed)
    for day in range(times):
        for record in read:
            moment = datetime.fromisoformat(record["eventTime"]) + timedelta(days=day)
            again = record | {"eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "eventID": str(UUID(int=rng.getrandbits(128)))}
            yield json.dumps(again, separators=(",", ":")).encode() + b"\n"


def peak_mib() -> float:
    """The largest resident set of this process so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


class _Judging:
    """Runs the monitor after each so many records, and takes the time of it."""

    def __init__(self, inventory: Inventory, intake: Intake, every: int) -> None:
        self._inventory, self._intake, self._every, self._next = inventory, intake, every, every
        self.seconds, self.runs, self.events = 0.0, 0, 0

    def when_due(self) -> None:
        """After some records."""
        if self._intake.report.records >= self._next:
            self._next += self._every
            self.judge()

    def judge(self) -> None:
        """Of what came until now; `now` is the time of the last record."""
        begun = time.process_time()
        done = monitor(self._inventory, Settings(), BEGIN + self._intake.report.records * SPACING)
        self.seconds += time.process_time() - begun
        self.runs, self.events = self.runs + 1, self.events + done.events


def _work(number: int, identities: int, every: int, *, streamed: bool, like: Path | None = None, times: int = 0) -> dict[str, Any]:
    """One figure, in a process of its own. `like`: a real log, repeated `times` times, in place of records that are made."""
    with TemporaryDirectory(prefix="licet-bench-") as folder:
        os.chmod(folder, 0o700)  # noqa: PTH101 - a name
        log = Path(folder) / "log.json"
        maker = None
        if streamed:
            command = [sys.executable, "-m", "benchmarks.ingest", "--make", str(number), "--identities", str(identities)]
            maker = subprocess.Popen(command, stdout=subprocess.PIPE)
        else:
            with log.open("wb") as out:
                out.writelines(records(number, identities) if like is None else repeated(like, times))
            with log.open("rb") as written:
                number = sum(1 for _ in written)
        peaks: dict[str, float] = {}
        with closing(Inventory(Path(folder) / FILE)) as inventory:
            intake = Intake(inventory, source_of("cloudtrail"), Fingerprints(b"k" * 32).of, clock=SystemClock())
            judging = _Judging(inventory, intake, every)

            def progress(_: int) -> None:
                judging.when_due()
                if streamed:
                    _peaks(intake, peaks)

            begun = time.process_time()
            if maker is not None and maker.stdout is not None:
                intake.take("-", maker.stdout, progress=progress)  # type: ignore[arg-type]
                maker.wait()
            else:
                with log.open("rb") as file:
                    intake.take(str(log), file, progress=progress)
            report = intake.finish()
            judging.judge()
            seconds = time.process_time() - begun
        size = (Path(folder) / FILE).stat().st_size
    once = judging.events == number if like is None else judging.events >= number  # of real ones, what they change is judged too
    if report.kept.uses != number or not report.well or not once:
        raise RuntimeError(f"not all was kept, and judged once: {judging.events} of {report}")
    return {
        "records": number, "identities": identities, "seconds": round(seconds, 2), "records_per_second": round(number / seconds),
        "intake_seconds": round(seconds - judging.seconds, 2), "monitor_seconds": round(judging.seconds, 2), "monitor_runs": judging.runs,
        "peak_mib": peak_mib(), "bytes_per_event": round(size / number),
    } | ({"peak_mib_after": peaks} if streamed else {})  # fmt: skip


def _peaks(intake: Intake, peaks: dict[str, float]) -> None:
    done = intake.report.records
    name = f"{done // 100_000 * 100_000:,}"
    if done >= 100_000 and name not in peaks and (done < 1_000_000 or done % 500_000 < 20_000):
        peaks[name] = peak_mib()
        print(f"{name} records: {peaks[name]} MiB", file=sys.stderr, flush=True)


def measured(number: int, identities: int, every: int, *, streamed: bool = False) -> dict[str, Any]:
    """`_work` in a process of its own.

    Raises:
        CalledProcessError: it failed.
    """
    command = [sys.executable, "-m", "benchmarks.ingest", "--child", str(number), "--identities", str(identities), "--every", str(every)]
    done = subprocess.run([*command, *(["--streamed"] if streamed else [])], stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=500_000, help="for the speed (default: 500000)")
    parser.add_argument("--every", type=int, default=250_000, help="records between two runs of the monitor (default: 250000)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-memory", action="store_true", help="leave out the run of 10^6 records")
    parser.add_argument("--full", action="store_true", help="5 * 10^6 records in place of 10^6")
    parser.add_argument(
        "--like", type=Path, metavar="LOG", help="a real log of CloudTrail (lines of JSON), repeated, each time a day later"
    )
    parser.add_argument("--times", type=int, default=60, help="how often (default: 60)")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--make", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--identities", type=int, default=2_000, help=argparse.SUPPRESS)
    parser.add_argument("--streamed", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make is not None:
        sys.stdout.buffer.writelines(records(options.make, options.identities))
        return
    if options.child is not None:
        print(json.dumps(_work(options.child, options.identities, options.every, streamed=options.streamed)))
        return
    if options.like is not None:
        row = _work(0, 0, options.every, streamed=False, like=options.like, times=options.times)
        print(json.dumps(row) if options.json else f"{row['records']:,} real records: {row['records_per_second']:,} records/s")
        return
    rows = {f"{identities:,} identities": measured(options.records, identities, options.every) for identities in (200, 2_000)}
    if not options.no_memory:
        rows["2,000 identities, memory"] = measured(5_000_000 if options.full else 1_000_000, 2_000, options.every, streamed=True)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for name, row in rows.items():
        print(f"{name:<26} {row['records']:>9,} records {row['records_per_second']:>7,} records/s {row['peak_mib']:>7.1f} MiB at most"
              f"  (intake {row['intake_seconds']} s, {row['monitor_runs']} runs of the monitor {row['monitor_seconds']} s)")  # fmt: skip
        for number, peak in row.get("peak_mib_after", {}).items():
            print(f"{'':<26} {number:>9} records {'':>7}           {peak:>7.1f} MiB at most")


if __name__ == "__main__":
    main()
