# What GitHub's workflows may do: read everything that Terraform manages, and change what a release changes. Resources
# that hold data or grant permissions (buckets, the key, secrets, roles, the network, the namespace, grants in the
# database) are read-only for CI: a person applies their changes. A pull request therefore cannot give a role or a user
# more permissions. The code that it releases, after approval, runs with the permissions of the tasks.
#
# Two roles: `plan` reads, and stores the plan that people approve; `deploy`, which only the environment that requires
# approval can assume, applies it.

locals {
  deploy        = var.github == null ? 0 : 1
  own_provider  = var.github == null ? 0 : var.github.oidc_provider_arn == null ? 1 : 0
  oidc_provider = local.own_provider == 1 ? aws_iam_openid_connect_provider.github[0].arn : try(var.github.oidc_provider_arn, null)

  state_bucket_arn = "arn:${local.partition}:s3:::${var.state_bucket}"

  dashboard_arn = "arn:${local.partition}:cloudwatch::${local.account}:dashboard/${var.name}" # of no region

  pipeline_roles = { for key, name in local.role_names : key => "arn:${local.partition}:iam::${local.account}:role/${name}" }
  log_groups     = [for path in ["/${var.name}/*", "/aws/vendedlogs/states/${var.name}*", "/aws/redshift/${var.name}/*"] : "${local.arn_prefix.logs}:log-group:${path}"]

  deploy_policies = {
    release = [
      { Sid = "SignInToEcr", Action = ["ecr:GetAuthorizationToken"], Resource = ["*"] }, # AWS supports no narrower resource
      {
        Sid = "PushImage"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImageScanFindings",
          "ecr:DescribeImages", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:PutLifecyclePolicy", "ecr:UploadLayerPart",
        ]
        Resource = [aws_ecr_repository.this.arn]
      },
      {
        Sid      = "RegisterTasks"
        Action   = ["ecs:RegisterTaskDefinition", "ecs:TagResource"]
        Resource = [for task in keys(local.tasks) : "${local.arn_prefix.ecs}:task-definition/${var.name}-${task}:*"]
      },
      {
        Sid       = "PassTaskRoles"
        Action    = ["iam:PassRole"]
        Resource  = [for role in ["loader", "transformer", "task_execution"] : local.pipeline_roles[role]]
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Sid       = "PassStateMachineRole"
        Action    = ["iam:PassRole"]
        Resource  = [local.pipeline_roles.state_machine]
        Condition = { StringEquals = { "iam:PassedToService" = "states.amazonaws.com" } }
      },
      {
        Sid       = "PassScheduleRole"
        Action    = ["iam:PassRole"]
        Resource  = [local.pipeline_roles.scheduler]
        Condition = { StringEquals = { "iam:PassedToService" = "scheduler.amazonaws.com" } }
      },
      { Sid = "StateMachine", Action = ["states:StartExecution", "states:TagResource", "states:UpdateStateMachine"], Resource = [local.arn.state_machine] },
      { Sid = "Schedule", Action = ["scheduler:UpdateSchedule"], Resource = ["${local.arn_prefix.scheduler}:schedule/${var.name}/*"] },
      { Sid = "Alarms", Action = ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"], Resource = ["${local.arn_prefix.cloudwatch}:alarm:${var.name}-*"] },
      { Sid = "Dashboard", Action = ["cloudwatch:PutDashboard"], Resource = [local.dashboard_arn] },
      { Sid = "Alerts", Action = ["sns:Subscribe"], Resource = [aws_sns_topic.alerts.arn] },
      { Sid = "Retention", Action = ["logs:PutRetentionPolicy"], Resource = local.log_groups },
      { Sid = "Capacity", Action = ["redshift-serverless:UpdateUsageLimit", "redshift-serverless:UpdateWorkgroup"], Resource = [aws_redshiftserverless_workgroup.this.arn, aws_redshiftserverless_usage_limit.day.arn] },
      { Sid = "ListStateBucket", Action = ["s3:ListBucket"], Resource = [local.state_bucket_arn] },
      { Sid = "State", Action = ["s3:GetObject", "s3:PutObject"], Resource = ["${local.state_bucket_arn}/${var.name}/*"] },
      { Sid = "StateLock", Action = ["s3:DeleteObject"], Resource = ["${local.state_bucket_arn}/${var.name}/*.tflock"] },
    ]

    plan = [
      { Sid = "ListStateBucket", Action = ["s3:ListBucket"], Resource = [local.state_bucket_arn] },
      { Sid = "ReadState", Action = ["s3:GetObject"], Resource = ["${local.state_bucket_arn}/${var.name}/*"] },
      { Sid = "StateLock", Action = ["s3:DeleteObject", "s3:PutObject"], Resource = ["${local.state_bucket_arn}/${var.name}/*.tflock"] },
      { Sid = "SavePlan", Action = ["s3:PutObject"], Resource = ["${local.state_bucket_arn}/${var.name}/plans/*"] },
    ]

    refresh = [
      {
        Sid = "Buckets"
        Action = [
          "s3:GetAccelerateConfiguration", "s3:GetBucketAcl", "s3:GetBucketCORS", "s3:GetBucketLogging",
          "s3:GetBucketObjectLockConfiguration", "s3:GetBucketOwnershipControls", "s3:GetBucketPolicy",
          "s3:GetBucketPublicAccessBlock", "s3:GetBucketRequestPayment", "s3:GetBucketTagging", "s3:GetBucketVersioning",
          "s3:GetBucketWebsite", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
          "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:ListTagsForResource",
        ]
        Resource = values(local.bucket_arns)
      },
      { Sid = "Key", Action = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"], Resource = [aws_kms_key.this.arn] },
      { Sid = "Secrets", Action = ["secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy", "secretsmanager:ListSecretVersionIds"], Resource = local.secret_arns },
      {
        Sid    = "Warehouse"
        Action = ["redshift-serverless:GetNamespace", "redshift-serverless:GetUsageLimit", "redshift-serverless:GetWorkgroup", "redshift-serverless:ListTagsForResource"]
        Resource = [
          aws_redshiftserverless_namespace.this.arn, aws_redshiftserverless_workgroup.this.arn, aws_redshiftserverless_usage_limit.day.arn,
        ]
      },
      { Sid = "Images", Action = ["ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource"], Resource = [aws_ecr_repository.this.arn] },
      { Sid = "Cluster", Action = ["ecs:DescribeClusters"], Resource = [aws_ecs_cluster.this.arn] },
      { Sid = "ReadStateMachine", Action = ["states:DescribeStateMachine", "states:ListExecutions", "states:ListStateMachineVersions", "states:ListTagsForResource"], Resource = [local.arn.state_machine] },
      { Sid = "ReadExecutions", Action = ["states:DescribeExecution", "states:GetExecutionHistory"], Resource = ["${local.arn_prefix.states}:execution:${var.name}:*"] },
      { Sid = "Schedules", Action = ["scheduler:GetSchedule", "scheduler:GetScheduleGroup", "scheduler:ListTagsForResource"], Resource = [local.arn.schedule_group, "${local.arn_prefix.scheduler}:schedule/${var.name}/*"] },
      { Sid = "Topic", Action = ["sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListTagsForResource"], Resource = [aws_sns_topic.alerts.arn, "${aws_sns_topic.alerts.arn}:*"] },
      { Sid = "Queue", Action = ["sqs:GetQueueAttributes", "sqs:ListQueueTags"], Resource = [aws_sqs_queue.missed.arn] },
      { Sid = "Logs", Action = ["logs:FilterLogEvents", "logs:ListTagsForResource"], Resource = local.log_groups },
      { Sid = "ReadAlarms", Action = ["cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"], Resource = ["${local.arn_prefix.cloudwatch}:alarm:${var.name}-*"] },
      { Sid = "ReadDashboard", Action = ["cloudwatch:GetDashboard"], Resource = [local.dashboard_arn] },
      { Sid = "Budget", Action = ["budgets:ListTagsForResource", "budgets:ViewBudget"], Resource = ["arn:${local.partition}:budgets::${local.account}:budget/${var.name}"] },
      {
        Sid      = "Roles"
        Action   = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"]
        Resource = concat(values(local.pipeline_roles), [for role in ["deploy", "plan"] : "arn:${local.partition}:iam::${local.account}:role/${var.name}-${role}"])
      },
      { Sid = "GitHub", Action = ["iam:GetOpenIDConnectProvider"], Resource = [local.oidc_provider] },
      {
        Sid = "ReadUnscoped" # AWS supports no narrower resource for these
        Action = [
          "ec2:DescribeAddresses", "ec2:DescribeAddressesAttribute", "ec2:DescribeAvailabilityZones",
          "ec2:DescribeInternetGateways", "ec2:DescribeNatGateways", "ec2:DescribeNetworkAcls", "ec2:DescribePrefixLists",
          "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
          "ec2:DescribeTransitGateways", "ec2:DescribeTransitGatewayVpcAttachments", "ec2:DescribeVpcAttribute",
          "ec2:DescribeVpcEndpoints", "ec2:DescribeVpcPeeringConnections", "ec2:DescribeVpcs", "ec2:GetTransitGatewayRouteTableAssociations",
          "ec2:GetTransitGatewayRouteTablePropagations", "ecs:DescribeTaskDefinition", "kms:ListAliases",
          "logs:DescribeLogGroups", "redshift-serverless:ListWorkgroups", "servicequotas:GetServiceQuota",
          "states:ValidateStateMachineDefinition",
        ]
        Resource = ["*"]
      },
    ]
  }
  ci_policies = {
    for name, statements in local.deploy_policies : name => jsonencode({
      Version   = "2012-10-17"
      Statement = [for statement in statements : merge({ Effect = "Allow" }, statement) if length(statement.Resource) > 0]
    })
  }

  trust_environment = {
    for role, environment in local.deploy == 0 ? {} : { deploy = var.github.environment, plan = "${var.github.environment}-plan" } : role => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Principal = { Federated = local.oidc_provider }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
            "token.actions.githubusercontent.com:sub" = "repo:${var.github.repository}:environment:${environment}"
          }
        }
      }]
    })
  }
}

resource "aws_iam_openid_connect_provider" "github" {
  count          = local.own_provider
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

# One environment of the repository: no other branch, workflow or fork can assume the role.
resource "aws_iam_role" "deploy" {
  count              = local.deploy
  name               = "${var.name}-deploy"
  assume_role_policy = local.trust_environment["deploy"] # requires approval
}

resource "aws_iam_role" "plan" {
  count              = local.deploy
  name               = "${var.name}-plan"
  assume_role_policy = local.trust_environment["plan"]
}

resource "aws_iam_role_policy" "deploy" {
  for_each = toset(local.deploy == 1 ? ["refresh", "release"] : [])
  name     = each.key
  role     = aws_iam_role.deploy[0].id
  policy   = local.ci_policies[each.key]
}

resource "aws_iam_role_policy" "plan" {
  for_each = toset(local.deploy == 1 ? ["plan", "refresh"] : [])
  name     = each.key
  role     = aws_iam_role.plan[0].id
  policy   = local.ci_policies[each.key]
}
