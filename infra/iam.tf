# One role per actor, each with the permissions that it needs and no more. The deploy role is in deploy_role.tf.

locals {
  role_names = {
    loader         = "${var.name}-loader"
    transformer    = "${var.name}-transformer"
    task_execution = "${var.name}-task-execution"
    copy           = "${var.name}-copy"
    state_machine  = "${var.name}-state-machine"
    scheduler      = "${var.name}-scheduler"
  }

  # Who may assume each role. A service that acts for another account or resource is refused.
  ecs_trust = {
    service   = ["ecs-tasks.amazonaws.com"]
    condition = { ArnLike = { "aws:SourceArn" = "${local.arn_prefix.ecs}:*" } }
  }
  trusts = {
    loader         = local.ecs_trust
    transformer    = local.ecs_trust
    task_execution = local.ecs_trust
    copy = {
      service = ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]
      # Only the loader's user may COPY. AWS documents both forms of a Serverless user's ARN. The id of the workgroup
      # is not known when this role is created.
      condition = {
        StringLike = {
          "sts:ExternalId" = [
            "${local.arn_prefix.redshift}:dbuser:serverless-${local.account}-*/IAMR:${var.name}-loader",
            "${local.arn_prefix.redshift}:dbuser:${var.name}/IAMR:${var.name}-loader",
          ]
        }
      }
    }
    state_machine = {
      service   = ["states.amazonaws.com"]
      condition = { ArnEquals = { "aws:SourceArn" = local.arn.state_machine } }
    }
    scheduler = {
      service   = ["scheduler.amazonaws.com"]
      condition = { ArnEquals = { "aws:SourceArn" = local.arn.schedule_group } }
    }
  }

  secret_arns = [for secret in aws_secretsmanager_secret.source : secret.arn]
  bucket_arns = { for name, bucket in aws_s3_bucket.this : name => bucket.arn }
  # The key is usable only through the service that encrypts with it.
  use_key = {
    for service, name in { s3 = "Buckets", secretsmanager = "Secrets", sns = "Topic", sqs = "Queue" } :
    service => { Sid = "UseKeyFor${name}", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [aws_kms_key.this.arn], Condition = { StringEquals = { "kms:ViaService" = "${service}.${var.region}.amazonaws.com" } } }
  }
  sign_in = {
    Sid      = "SignInToRedshift"
    Action   = ["redshift-serverless:GetCredentials"]
    Resource = [aws_redshiftserverless_workgroup.this.arn]
  }

  policies = {
    loader = [
      { Sid = "ListLanding", Action = ["s3:ListBucket"], Resource = [local.bucket_arns.landing] },
      { Sid = "WriteLanding", Action = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], Resource = ["${local.bucket_arns.landing}/landing/*"] },
      { Sid = "DeleteLocksAndProbes", Action = ["s3:DeleteObject"], Resource = ["${local.bucket_arns.landing}/landing/_locks/raw_*", "${local.bucket_arns.landing}/landing/_doctor/*"] },
      { Sid = "ListDrop", Action = ["s3:ListBucket"], Resource = length(local.drop_folders) > 0 ? [local.bucket_arns.drop] : [] },
      { Sid = "ReadDrop", Action = ["s3:GetObject"], Resource = [for folder in distinct(values(local.drop_folders)) : "${local.bucket_arns.drop}/${folder}/*"] },
      { Sid = "WriteRejected", Action = ["s3:AbortMultipartUpload", "s3:PutObject"], Resource = [for folder in distinct(values(local.drop_folders)) : "${local.bucket_arns.drop}/${folder}/_rejected/*"] },
      local.use_key.s3,
      local.sign_in,
    ]

    transformer = [
      { Sid = "ListArtifactsAndLanding", Action = ["s3:ListBucket"], Resource = [local.bucket_arns.artifacts, local.bucket_arns.landing] },
      # In the landing only the owner's file and the build lock: the transformer cannot read loaded data there.
      { Sid = "WriteLock", Action = ["s3:GetObject", "s3:PutObject"], Resource = ["${local.bucket_arns.landing}/landing/_target.json", "${local.bucket_arns.landing}/landing/_locks/build.json"] },
      { Sid = "DeleteLock", Action = ["s3:DeleteObject"], Resource = ["${local.bucket_arns.landing}/landing/_locks/build.json"] },
      { Sid = "PublishArtifacts", Action = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], Resource = ["${local.bucket_arns.artifacts}/runs/*", "${local.bucket_arns.artifacts}/docs/*"] },
      local.use_key.s3,
      local.sign_in,
    ]

    task_execution = [
      # AWS supports no narrower resource: the token is for the whole registry. The next statement limits its use.
      { Sid = "SignInToEcr", Action = ["ecr:GetAuthorizationToken"], Resource = ["*"] },
      { Sid = "PullImage", Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], Resource = [aws_ecr_repository.this.arn] },
      { Sid = "Log", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = ["${aws_cloudwatch_log_group.tasks.arn}:*"] },
      { Sid = "ReadSecrets", Action = ["secretsmanager:GetSecretValue"], Resource = local.secret_arns },
      merge(local.use_key.secretsmanager, { Action = ["kms:Decrypt"] }),
    ]

    copy = [
      { Sid = "ListLanding", Action = ["s3:ListBucket"], Resource = [local.bucket_arns.landing] },
      { Sid = "ReadLanding", Action = ["s3:GetObject"], Resource = ["${local.bucket_arns.landing}/landing/*"] },
      merge(local.use_key.s3, { Action = ["kms:Decrypt"] }),
    ]

    state_machine = [
      {
        Sid       = "RunTasks"
        Action    = ["ecs:RunTask"]
        Resource  = [for task in keys(local.tasks) : "${local.arn_prefix.ecs}:task-definition/${var.name}-${task}:*"]
        Condition = { ArnEquals = { "ecs:cluster" = aws_ecs_cluster.this.arn } }
      },
      {
        Sid      = "WatchTasks"
        Action   = ["ecs:DescribeTasks", "ecs:StopTask"]
        Resource = ["${local.arn_prefix.ecs}:task/${var.name}/*"]
      },
      {
        # A task gets the tags of its definition.
        Sid       = "TagTasks"
        Action    = ["ecs:TagResource"]
        Resource  = ["${local.arn_prefix.ecs}:task/${var.name}/*"]
        Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } }
      },
      {
        Sid       = "PassTaskRoles"
        Action    = ["iam:PassRole"]
        Resource  = [for role in ["loader", "transformer", "task_execution"] : aws_iam_role.this[role].arn]
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Sid      = "ReceiveTaskEvents" # Step Functions waits for .sync with this rule
        Action   = ["events:DescribeRule", "events:PutRule", "events:PutTargets"]
        Resource = ["${local.arn_prefix.events}:rule/StepFunctionsGetEventsForECSTaskRule"]
      },
      { Sid = "ListExecutions", Action = ["states:ListExecutions"], Resource = [local.arn.state_machine] },
      { Sid = "ReadLogs", Action = ["logs:GetLogEvents"], Resource = ["${aws_cloudwatch_log_group.tasks.arn}:log-stream:*"] },
      { Sid = "PublishFailures", Action = ["sns:Publish"], Resource = [aws_sns_topic.alerts.arn] },
      local.use_key.sns,
      {
        Sid = "Log" # AWS supports no narrower resource: log deliveries have no ARN
        Action = [
          "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
          "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
        ]
        Resource = ["*"]
      },
    ]

    scheduler = [
      { Sid = "Start", Action = ["states:StartExecution"], Resource = [local.arn.state_machine] },
      {
        Sid    = "Snapshot"
        Action = ["redshift-serverless:CreateSnapshot"]
        Resource = [
          aws_redshiftserverless_namespace.this.arn,
          "${local.arn_prefix["redshift-serverless"]}:snapshot/*", # AWS chooses the id
        ]
      },
      { Sid = "SendMissedStarts", Action = ["sqs:SendMessage"], Resource = [aws_sqs_queue.missed.arn] },
      local.use_key.sqs,
    ]
  }
}

resource "aws_iam_role" "this" {
  for_each = local.trusts
  name     = local.role_names[each.key]
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = each.value.service }
      Action    = "sts:AssumeRole"
      Condition = merge(
        each.value.condition,
        each.key == "copy" ? {} : { StringEquals = { "aws:SourceAccount" = local.account } },
      )
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.policies
  name     = "permissions"
  role     = aws_iam_role.this[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    # IAM refuses a statement without resources, such as that of the drop if no source reads it.
    Statement = [for statement in each.value : merge({ Effect = "Allow" }, statement) if length(statement.Resource) > 0]
  })
}
