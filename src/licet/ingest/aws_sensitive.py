"""Which calls to AWS are `admin`: they change permissions, credentials or trust, read secrets, end logging, share data, run commands.

AWS's own "Permissions management" is the start (see `licet.ingest.aws_actions`). This file has by hand what that leaves out and what it has
too much: by reasoning, and from MITRE ATT&CK's cloud matrix (https://attack.mitre.org/matrices/enterprise/cloud/iaas/), the descriptions of
Stratus Red Team's techniques (https://stratus-red-team.cloud/attack-techniques/AWS/), and AWS's own documentation of which calls return
secrets. TrailDiscover (Adan Alvarez, CC BY 4.0, https://traildiscover.cloud) was read to see what else has been abused.

Frozen before any label of any attack was looked at. A call is here if an everyday account seldom makes it; what many workloads do each
minute (AssumeRole, GetObject, Decrypt, a token for a registry or a database) is not, however useful to an attacker.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from licet.events import AccessLevel
from licet.ingest import aws_conditions as conditions
from licet.ingest.aws_actions import action_of, by_verb, level_of

Concern = Literal["permission", "credential", "secret", "logging", "sharing", "command", "damage", ""]
"""Why a call is sensitive. Empty: it is not."""

_ALWAYS: Final[Mapping[Concern, str]] = {
    # Rights that AWS classifies as `Write`: trust between accounts, what bounds all accounts of an organisation, a role for a machine.
    "permission": """
        ec2:AssociateIamInstanceProfile ec2:ReplaceIamInstanceProfileAssociation eks:AssociateAccessPolicy eks:CreateAccessEntry
        eks:UpdateAccessEntry organizations:AcceptHandshake organizations:AttachPolicy organizations:CreateAccount
        organizations:DetachPolicy organizations:DisablePolicyType organizations:EnableAWSServiceAccess
        organizations:InviteAccountToOrganization organizations:LeaveOrganization organizations:MoveAccount
        organizations:RegisterDelegatedAdministrator organizations:RemoveAccountFromOrganization organizations:UpdatePolicy
        rolesanywhere:CreateProfile rolesanywhere:CreateTrustAnchor rolesanywhere:EnableTrustAnchor rolesanywhere:UpdateProfile
        rolesanywhere:UpdateTrustAnchor sso:CreateAccountAssignment sso:PutInlinePolicyToPermissionSet identitystore:CreateGroupMembership
        identitystore:CreateUser account:EnableRegion
        iam:DeleteRolePermissionsBoundary iam:DeleteUserPermissionsBoundary iam:DeleteAccountPasswordPolicy iam:DeactivateMFADevice
        iam:DeleteVirtualMFADevice sso:DeletePermissionsBoundaryFromPermissionSet s3:DeleteBucketPublicAccessBlock
        s3:DeletePublicAccessBlock s3:DeleteAccountPublicAccessBlock
    """,
    "credential": """
        sts:GetFederationToken sts:AssumeRoot iot:CreateKeysAndCertificate transfer:ImportSshPublicKey ec2:CreateKeyPair ec2:ImportKeyPair
        appsync:CreateApiKey apigateway:CreateApiKey ds:ResetUserPassword lightsail:CreateBucketAccessKey
    """,
    "secret": """
        secretsmanager:GetSecretValue secretsmanager:BatchGetSecretValue ec2:GetPasswordData acm:ExportCertificate
        lightsail:GetRelationalDatabaseMasterUserPassword lightsail:GetInstanceAccessDetails lightsail:DownloadDefaultKeyPair
    """,
    "logging": """
        cloudtrail:StopLogging cloudtrail:DeleteTrail cloudtrail:UpdateTrail cloudtrail:PutEventSelectors cloudtrail:PutInsightSelectors
        cloudtrail:DeleteEventDataStore cloudtrail:StopEventDataStoreIngestion ec2:DeleteFlowLogs
        route53resolver:DeleteResolverQueryLogConfig route53resolver:DisassociateResolverQueryLogConfig route53:DeleteQueryLoggingConfig
        config:DeleteConfigurationRecorder config:StopConfigurationRecorder config:DeleteDeliveryChannel config:DeleteConfigRule
        guardduty:DeleteDetector guardduty:UpdateDetector guardduty:DeleteMembers guardduty:DisassociateMembers
        guardduty:DisassociateFromMasterAccount guardduty:DisassociateFromAdministratorAccount guardduty:StopMonitoringMembers
        guardduty:CreateFilter guardduty:UpdateFilter guardduty:CreateIPSet guardduty:UpdateIPSet guardduty:DeletePublishingDestination
        securityhub:DisableSecurityHub securityhub:DeleteMembers securityhub:DisassociateMembers securityhub:BatchDisableStandards
        securityhub:DisassociateFromAdministratorAccount macie2:DisableMacie access-analyzer:DeleteAnalyzer inspector2:Disable
        detective:DeleteGraph wafv2:DeleteLoggingConfiguration waf:DeleteLoggingConfiguration waf-regional:DeleteLoggingConfiguration
        wafv2:DeleteWebACL monitoring:DisableAlarmActions rds:ModifyActivityStream rds:StopActivityStream redshift:DisableLogging
        bedrock:DeleteModelInvocationLoggingConfiguration
    """,
    "sharing": """
        s3:PutBucketReplication ec2:CreateInstanceExportTask ec2:ExportImage ec2:CreateStoreImageTask ec2:CreateTrafficMirrorSession
        ec2:DisableEbsEncryptionByDefault rds:StartExportTask transfer:CreateServer route53domains:TransferDomainToAnotherAwsAccount
        route53domains:DisableDomainTransferLock
    """,
    "command": """
        ssm:SendCommand ssm:StartSession ssm:ResumeSession ec2-instance-connect:SendSSHPublicKey
        ec2-instance-connect:SendSerialConsoleSSHPublicKey ec2-instance-connect:OpenTunnel ec2:EnableSerialConsoleAccess
        ec2:CreateInstanceConnectEndpoint ecs:ExecuteCommand lambda:UpdateFunctionCode glue:CreateDevEndpoint glue:UpdateDevEndpoint
        sagemaker:CreatePresignedNotebookInstanceUrl sagemaker:CreateNotebookInstanceLifecycleConfig
        sagemaker:UpdateNotebookInstanceLifecycleConfig
    """,
    "damage": """
        kms:ScheduleKeyDeletion kms:DisableKey kms:DeleteImportedKeyMaterial backup:DeleteRecoveryPoint backup:DeleteBackupVault
        account:CloseAccount organizations:CloseAccount ses:UpdateAccountSendingEnabled bedrock:PutUseCaseForModelAccess
        bedrock:CreateFoundationModelAgreement bedrock:PutFoundationModelEntitlement
    """,
}

_WHEN: Final[Mapping[str, tuple[Concern, Callable[[Mapping[str, Any]], bool]]]] = {
    "signin:ConsoleLogin": ("credential", conditions.login_without_second_factor),
    "kms:CreateGrant": ("permission", conditions.not_by_a_service),
    "ec2:AuthorizeSecurityGroupIngress": ("permission", conditions.opens_to_the_world),
    "ec2:ModifyInstanceAttribute": ("command", conditions.user_data),
    "ec2:DescribeInstanceAttribute": ("secret", conditions.user_data),
    "ec2:RunInstances": ("damage", conditions.accelerated),
    "ec2:ModifyImageAttribute": ("sharing", conditions.launch_permission),
    "ssm:GetParameter": ("secret", conditions.decrypts),
    "ssm:GetParameters": ("secret", conditions.decrypts),
    "ssm:GetParametersByPath": ("secret", conditions.decrypts),
    "ssm:GetParameterHistory": ("secret", conditions.decrypts),
    "apigateway:GetApiKey": ("secret", conditions.with_values),
    "apigateway:GetApiKeys": ("secret", conditions.with_values),
    "s3:PutBucketLifecycle": ("logging", conditions.expires_logs),
    "s3:PutBucketLifecycleConfiguration": ("logging", conditions.expires_logs),
    "s3:PutBucketLogging": ("logging", conditions.bucket_logging_off),
    "s3:PutBucketVersioning": ("damage", conditions.versioning_off),
    "s3:PutObject": ("damage", conditions.callers_own_key),
    "s3:CopyObject": ("damage", conditions.callers_own_key),
    "s3:PutBucketAcl": ("sharing", conditions.acl_for_others),
    "s3:PutObjectAcl": ("sharing", conditions.acl_for_others),
    "s3:PutObjectVersionAcl": ("sharing", conditions.acl_for_others),
    "s3:PutBucketPublicAccessBlock": ("sharing", conditions.public_block_off),
    "s3:PutPublicAccessBlock": ("sharing", conditions.public_block_off),
    "s3:PutAccountPublicAccessBlock": ("sharing", conditions.public_block_off),
    "s3:PutAccessPointPublicAccessBlock": ("sharing", conditions.public_block_off),
    "s3:PutBucketOwnershipControls": ("sharing", conditions.acls_allowed),
    "logs:DeleteLogGroup": ("logging", conditions.security_log_group),
    "logs:DeleteLogStream": ("logging", conditions.security_log_group),
    "logs:PutRetentionPolicy": ("logging", conditions.security_log_group),
    "elasticloadbalancing:ModifyLoadBalancerAttributes": ("logging", conditions.access_logs_off),
    "eks:UpdateClusterConfig": ("logging", conditions.cluster_logging_off),
    "lambda:CreateFunctionUrlConfig": ("permission", conditions.open_url),
    "lambda:UpdateFunctionUrlConfig": ("permission", conditions.open_url),
    "lambda:UpdateFunctionConfiguration": ("command", conditions.layers),
    "rds:ModifyDBInstance": ("credential", conditions.database_opened),
    "rds:ModifyDBCluster": ("credential", conditions.database_opened),
    "sqs:CreateQueue": ("sharing", conditions.resource_policy),
    "sqs:SetQueueAttributes": ("sharing", conditions.resource_policy),
    "sns:CreateTopic": ("sharing", conditions.resource_policy),
    "sns:SetTopicAttributes": ("sharing", conditions.resource_policy),
    "es:CreateElasticsearchDomain": ("sharing", conditions.resource_policy),
    "es:CreateDomain": ("sharing", conditions.resource_policy),
    "es:UpdateElasticsearchDomainConfig": ("sharing", conditions.resource_policy),
    "es:UpdateDomainConfig": ("sharing", conditions.resource_policy),
}

# "Permissions management" for AWS, and everyday work all the same: they give nobody a right, or only make something stricter.
_ORDINARY_NAMES: Final = """
    iam:CreateGroup iam:CreateInstanceProfile iam:CreateAccountAlias iam:UpdateRoleDescription iam:CreateServiceLinkedRole
    iam:CreateVirtualMFADevice iam:EnableMFADevice iam:ResyncMFADevice iam:UploadServerCertificate iam:UpdateServerCertificate
    iam:PassRole cognito-identity:GetId cognito-identity:MergeDeveloperIdentities rds-db:connect redshift:JoinGroup
    redshift:CreateSnapshotCopyGrant redshift:CreateClusterUser ec2:EnableImageBlockPublicAccess ec2:EnableSnapshotBlockPublicAccess
    ec2:AttachResourcesToPlacementGroup ec2:AttachApplianceToNatGateway ec2:CreateOdbNetworkPeering ec2:ModifyOdbNetworkPeering
    bedrock-agentcore:AuthorizeAction bedrock-agentcore:InvokeGateway bedrock-agentcore:PartiallyAuthorizeActions
    bedrock-agentcore:SynchronizeGatewayTargets entityresolution:UseIdNamespace entityresolution:UseWorkflow
    managedblockchain:GET managedblockchain:Invoke managedblockchain:POST vpc-lattice:AssociateViaAWSService
    vpc-lattice:AssociateViaAWSService-EventsAndStates vpc-lattice:CreateServiceNetworkVpcEndpointAssociation xray:PutEncryptionConfig
    license-manager:UpdateServiceSettings codestar:CreateProject iotfleetwise:GenerateCommandPayload ds:CreateConditionalForwarder
    appsync:SetWebACL apigateway:SetWebACL apigateway:AddCertificateToDomain cloudformation:SetStackPolicy
    glue:GlueNotebookAuthorize glue:GlueNotebookRefreshCredentials glue:RefreshOAuth2Tokens glue:RequestLogParsing
    glue:RunDataPreviewStatement glue:SendRecipeAction glue:StartNotebook glue:TerminateNotebook glue:UseGlueStudio
"""

# What only takes rights away is `write`: cleaning up is everyday work. What lifts a limit stands in _ALWAYS.
_TAKES_AWAY: Final = (
    "Delete", "Detach", "Remove", "Revoke", "Retire", "Disassociate", "Dissociate", "Reject", "Deauthorize", "Deregister", "Unlink",
    "Cancel", "Abort",
    "AllowVendedLogDelivery",  # which begins logging
)  # fmt: skip

_ORDINARY: Final = frozenset(_ORDINARY_NAMES.split())
_CONCERNS: Final[Mapping[str, Concern]] = {operation: concern for concern, names in _ALWAYS.items() for operation in names.split()}


class Rule(NamedTuple):
    """How sensitive an operation is.

    Attributes:
        access: its level; where `when` is given, its level if that does not hold.
        concern: why it is `admin`, if it is.
        when: what must hold of the record for it to be `admin`.
    """

    access: AccessLevel
    concern: Concern = ""
    when: Callable[[Mapping[str, Any]], bool] | None = None


@functools.lru_cache(maxsize=4096)
def rule_of(operation: str) -> Rule:
    """The rule for `operation`, as `licet.ingest.aws_actions.operation_of` names it.

    Raises:
        LicetError: the table of this installation cannot be read.
    """
    if always := _CONCERNS.get(operation):
        return Rule("admin", always)
    action = action_of(operation)
    plain = by_verb(action.partition(":")[2])
    level = level_of(action)
    if conditional := _WHEN.get(operation):
        return Rule(plain if level == "admin" else level, *conditional)
    if level != "admin":
        return Rule(level)
    name = action.partition(":")[2]
    if plain == "read" or action in _ORDINARY or name.startswith(_TAKES_AWAY):
        return Rule(plain)
    return Rule("admin", "permission")


def access_of(operation: str, record: Mapping[str, Any]) -> AccessLevel:
    """How far `operation` reaches, as this record of CloudTrail shows it.

    Raises:
        LicetError: the table of this installation cannot be read.
    """
    rule = rule_of(operation)
    return "admin" if rule.when is not None and rule.when(record) else rule.access
