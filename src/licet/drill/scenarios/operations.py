"""What machines do on each platform: every day, in pairs of which each has one (`IN_..`), and, seldom enough to be sensitive, `OVER_..`."""

from __future__ import annotations

Pairs = tuple[tuple[str, str], ...]

IN_AWS: Pairs = (
    ("s3:GetObject", "s3:PutObject"), ("dynamodb:GetItem", "dynamodb:Query"), ("sqs:ReceiveMessage", "sqs:DeleteMessage"),
    ("kinesis:GetRecords", "s3:PutObject"), ("sns:Publish", "dynamodb:PutItem"),
)  # fmt: skip
OVER_AWS = (
    "secretsmanager:GetSecretValue", "ec2:GetPasswordData", "ssm:SendCommand", "ec2:CreateKeyPair",
    "kms:DisableKey", "guardduty:UpdateDetector", "ec2:DeleteFlowLogs", "s3:PutBucketReplication",
)  # fmt: skip
IN_CLUSTER: Pairs = (
    ("core:get/configmaps", "core:list/pods"), ("apps:get/deployments", "apps:patch/deployments"), ("batch:list/jobs", "batch:create/jobs"),
    ("coordination.k8s.io:update/leases", "core:watch/endpoints"), ("core:list/services", "discovery.k8s.io:list/endpointslices"),
)  # fmt: skip
OVER_CLUSTER = (
    "core:list/secrets", "core:get/secrets", "core:create/pods/exec", "core:get/nodes/proxy",
    "certificates.k8s.io:create/certificatesigningrequests", "admissionregistration.k8s.io:patch/mutatingwebhookconfigurations",
)  # fmt: skip
IN_REPOSITORY: Pairs = (
    ("git.clone", "git.push"),
    ("git.fetch", "git.push"),
    ("git.fetch", "pull_request.create"),
    ("git.clone", "release.publish"),
)
OVER_REPOSITORY = (
    "repo.access", "hook.create", "hook.config_changed", "protected_branch.destroy", "protected_branch.policy_override",
    "repository_ruleset.destroy", "secret_scanning.disable", "repo.actions_enabled", "repo.transfer_start",
)  # fmt: skip
IN_DIRECTORY: Pairs = (
    ("user.account.update_profile", "application.provision.user.push_profile"), ("group.profile.update", "application.provision.user.sync"),
    ("application.provision.group_push.updated", "user.account.update_profile"),
    ("application.provision.user.sync", "application.provision.user.import_profile"),
)  # fmt: skip
OVER_DIRECTORY = ("policy.rule.update", "zone.update", "security.authenticator.lifecycle.deactivate", "system.idp.lifecycle.update")
