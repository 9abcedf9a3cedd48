# One role per actor, each with what it does and no more. The deploy role is in deploy_role.tf.

locals {
  role_names = {
    loader         = "${var.name}-loader"
    transformer    = "${var.name}-transformer"
    task_execution = "${var.name}-task-execution"
    copy           = "${var.name}-copy"
    state_machine  = "${var.name}-state-machine"
    scheduler      = "${var.name}-scheduler"
  }

  # Who may be each role, and for what: a service that acts for another account or resource is refused.
  ecs_trust = {
    service   = ["ecs-tasks.amazonaws.com"]
    condition = { ArnLike = { "aws:SourceArn" = "arn:${local.partition}:ecs:${var.region}:${local.account}:*" } }
  }
  trusts = {
    loader         = local.ecs_trust
    transformer    = local.ecs_trust
    task_execution = local.ecs_trust
    copy = {
      service = ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]
      # Only the loader's user may COPY. AWS documents both forms of a Serverless user's ARN; the id of the workgroup
      # is not known yet when this role is made.
      condition = {
        StringLike = {
          "sts:ExternalId" = [
            "arn:${local.partition}:redshift:${var.region}:${local.account}:dbuser:serverless-${local.account}-*/IAMR:${var.name}-loader",
            "arn:${local.partition}:redshift:${var.region}:${local.account}:dbuser:${var.name}/IAMR:${var.name}-loader",
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

  secret_arns = concat([aws_secretsmanager_secret.source_postgres_password.arn], aws_secretsmanager_secret.employees_api_key[*].arn)
  bucket_arns = { for name, bucket in aws_s3_bucket.this : name => bucket.arn }
  s3_key = {
    Sid       = "EncryptedBuckets"
    Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource  = [aws_kms_key.this.arn]
    Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
  }
  sign_in = {
    Sid      = "SignInToRedshift"
    Action   = ["redshift-serverless:GetCredentials"]
    Resource = [aws_redshiftserverless_workgroup.this.arn]
  }

  policies = {
    loader = [
      { Sid = "ListLandingAndDrop", Action = ["s3:ListBucket"], Resource = [local.bucket_arns.landing, local.bucket_arns.drop] },
      { Sid = "Land", Action = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], Resource = ["${local.bucket_arns.landing}/landing/*"] },
      { Sid = "UnlockAndCleanUp", Action = ["s3:DeleteObject"], Resource = ["${local.bucket_arns.landing}/landing/_locks/raw_*", "${local.bucket_arns.landing}/landing/_doctor/*"] },
      { Sid = "ReadDrop", Action = ["s3:GetObject"], Resource = ["${local.bucket_arns.drop}/*"] },
      { Sid = "SetAside", Action = ["s3:AbortMultipartUpload", "s3:PutObject"], Resource = ["${local.bucket_arns.drop}/_rejected/*"] },
      local.s3_key,
      local.sign_in,
    ]

    transformer = [
      { Sid = "ListArtifactsAndLanding", Action = ["s3:ListBucket"], Resource = [local.bucket_arns.artifacts, local.bucket_arns.landing] },
      # Of the landing only whose it is, and the lock of builds: what was landed is not the transformer's to read.
      { Sid = "Lock", Action = ["s3:GetObject", "s3:PutObject"], Resource = ["${local.bucket_arns.landing}/landing/_target.json", "${local.bucket_arns.landing}/landing/_locks/build.json"] },
      { Sid = "Unlock", Action = ["s3:DeleteObject"], Resource = ["${local.bucket_arns.landing}/landing/_locks/build.json"] },
      { Sid = "PublishArtifacts", Action = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], Resource = ["${local.bucket_arns.artifacts}/runs/*", "${local.bucket_arns.artifacts}/docs/*"] },
      local.s3_key,
      local.sign_in,
    ]

    task_execution = [
      # AWS knows no narrower resource: the token is for the registry as a whole, the next statement says for what.
      { Sid = "SignInToEcr", Action = ["ecr:GetAuthorizationToken"], Resource = ["*"] },
      { Sid = "PullImage", Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], Resource = [aws_ecr_repository.this.arn] },
      { Sid = "Log", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = ["${aws_cloudwatch_log_group.tasks.arn}:*"] },
      { Sid = "ReadSecrets", Action = ["secretsmanager:GetSecretValue"], Resource = local.secret_arns },
      {
        Sid       = "EncryptedSecrets"
        Action    = ["kms:Decrypt"]
        Resource  = [aws_kms_key.this.arn]
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.amazonaws.com" } }
      },
    ]

    copy = [
      { Sid = "ListLanding", Action = ["s3:ListBucket"], Resource = [local.bucket_arns.landing] },
      { Sid = "ReadLanding", Action = ["s3:GetObject"], Resource = ["${local.bucket_arns.landing}/landing/*"] },
      merge(local.s3_key, { Action = ["kms:Decrypt"] }),
    ]

    state_machine = [
      {
        Sid       = "RunTasks"
        Action    = ["ecs:RunTask"]
        Resource  = [for task in keys(local.tasks) : "arn:${local.partition}:ecs:${var.region}:${local.account}:task-definition/${var.name}-${task}:*"]
        Condition = { ArnEquals = { "ecs:cluster" = aws_ecs_cluster.this.arn } }
      },
      {
        Sid      = "FollowTasks"
        Action   = ["ecs:DescribeTasks", "ecs:StopTask"]
        Resource = ["arn:${local.partition}:ecs:${var.region}:${local.account}:task/${var.name}/*"]
      },
      {
        # A task is given the tags of its definition.
        Sid       = "TagTasks"
        Action    = ["ecs:TagResource"]
        Resource  = ["arn:${local.partition}:ecs:${var.region}:${local.account}:task/${var.name}/*"]
        Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } }
      },
      {
        Sid       = "GiveTasksTheirRoles"
        Action    = ["iam:PassRole"]
        Resource  = [for role in ["loader", "transformer", "task_execution"] : aws_iam_role.this[role].arn]
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Sid      = "HearOfTasksThatEnd" # how Step Functions waits for .sync
        Action   = ["events:DescribeRule", "events:PutRule", "events:PutTargets"]
        Resource = ["arn:${local.partition}:events:${var.region}:${local.account}:rule/StepFunctionsGetEventsForECSTaskRule"]
      },
      { Sid = "NeverTwiceAtOnce", Action = ["states:ListExecutions"], Resource = [local.arn.state_machine] },
      { Sid = "TellOfFailures", Action = ["sns:Publish"], Resource = [aws_sns_topic.alerts.arn] },
      {
        Sid       = "EncryptedTopic"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [aws_kms_key.this.arn]
        Condition = { StringEquals = { "kms:ViaService" = "sns.${var.region}.amazonaws.com" } }
      },
      {
        Sid = "Log" # AWS knows no narrower resource for these: log deliveries have no ARN
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
          "arn:${local.partition}:redshift-serverless:${var.region}:${local.account}:snapshot/*", # named by AWS's own id
        ]
      },
      { Sid = "KeepMissedStarts", Action = ["sqs:SendMessage"], Resource = [aws_sqs_queue.missed.arn] },
      {
        Sid       = "EncryptedQueue"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [aws_kms_key.this.arn]
        Condition = { StringEquals = { "kms:ViaService" = "sqs.${var.region}.amazonaws.com" } }
      },
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
  name     = "what-it-does"
  role     = aws_iam_role.this[each.key].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for statement in each.value : merge({ Effect = "Allow" }, statement)]
  })
}
