# The permissions of each role. tests/python/integration/infra compares them with the calls that the code makes.

mock_provider "aws" {
  source = "./tests"
}

run "roles" {
  command = apply

  assert {
    # as JSON, because a list and a tuple are never equal
    condition = jsonencode({
      for role, policy in aws_iam_role_policy.this : role => { for s in jsondecode(policy.policy).Statement : s.Sid => sort(s.Action) }
      }) == jsonencode({
      loader = {
        ListLanding          = ["s3:ListBucket"]
        WriteLanding         = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        DeleteLocksAndProbes = ["s3:DeleteObject"]
        ListDrop             = ["s3:ListBucket"]
        ReadDrop             = ["s3:GetObject"]
        WriteRejected        = ["s3:AbortMultipartUpload", "s3:PutObject"]
        UseKeyForBuckets     = ["kms:Decrypt", "kms:GenerateDataKey"]
        SignInToRedshift     = ["redshift-serverless:GetCredentials"]
      }
      transformer = {
        ListArtifactsAndLanding = ["s3:ListBucket"]
        WriteLock               = ["s3:GetObject", "s3:PutObject"]
        DeleteLock              = ["s3:DeleteObject"]
        PublishArtifacts        = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        UseKeyForBuckets        = ["kms:Decrypt", "kms:GenerateDataKey"]
        SignInToRedshift        = ["redshift-serverless:GetCredentials"]
      }
      task_execution = {
        SignInToEcr      = ["ecr:GetAuthorizationToken"]
        PullImage        = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Log              = ["logs:CreateLogStream", "logs:PutLogEvents"]
        ReadSecrets      = ["secretsmanager:GetSecretValue"]
        UseKeyForSecrets = ["kms:Decrypt"]
      }
      copy = {
        ListLanding      = ["s3:ListBucket"]
        ReadLanding      = ["s3:GetObject"]
        UseKeyForBuckets = ["kms:Decrypt"]
      }
      state_machine = {
        RunTasks          = ["ecs:RunTask"]
        WatchTasks        = ["ecs:DescribeTasks", "ecs:StopTask"]
        TagTasks          = ["ecs:TagResource"]
        PassTaskRoles     = ["iam:PassRole"]
        ReceiveTaskEvents = ["events:DescribeRule", "events:PutRule", "events:PutTargets"]
        ListExecutions    = ["states:ListExecutions"]
        PublishFailures   = ["sns:Publish"]
        ReadLogs          = ["logs:GetLogEvents"]
        UseKeyForTopic    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Log = [
          "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
          "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
        ]
      }
      scheduler = {
        Start            = ["states:StartExecution"]
        Snapshot         = ["redshift-serverless:CreateSnapshot"]
        SendMissedStarts = ["sqs:SendMessage"]
        UseKeyForQueue   = ["kms:Decrypt", "kms:GenerateDataKey"]
      }
    })
    error_message = "A role has too many or too few actions: ${jsonencode({ for role, policy in aws_iam_role_policy.this : role => { for s in jsondecode(policy.policy).Statement : s.Sid => sort(s.Action) } })}"
  }
  assert {
    # the resources of each statement that changes something
    condition = {
      for statement in flatten([
        for role, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : { name = "${role} ${s.Sid}", resources = s.Resource }]
        ]) : statement.name => join(" ", [for resource in statement.resources : split(":", resource)[length(split(":", resource)) - 1]]) if contains([
        "loader WriteLanding", "loader DeleteLocksAndProbes", "loader WriteRejected", "transformer WriteLock", "transformer DeleteLock", "transformer PublishArtifacts",
      ], statement.name)
      } == {
      "loader WriteLanding"          = "vendas-landing-123456789012-sa-east-1/landing/*"
      "loader DeleteLocksAndProbes"  = "vendas-landing-123456789012-sa-east-1/landing/_locks/raw_* vendas-landing-123456789012-sa-east-1/landing/_doctor/*"
      "loader WriteRejected"         = "vendas-drop-123456789012-sa-east-1/parquet/_rejected/*"
      "transformer WriteLock"        = "vendas-landing-123456789012-sa-east-1/landing/_target.json vendas-landing-123456789012-sa-east-1/landing/_locks/build.json"
      "transformer DeleteLock"       = "vendas-landing-123456789012-sa-east-1/landing/_locks/build.json"
      "transformer PublishArtifacts" = "vendas-artifacts-123456789012-sa-east-1/runs/* vendas-artifacts-123456789012-sa-east-1/docs/*"
    }
    error_message = "A task may write or delete something else."
  }

  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_role_policy.this), values(aws_iam_role_policy.deploy), values(aws_iam_role_policy.plan)) : [
        for s in jsondecode(policy.policy).Statement : s.Effect == "Allow" && !anytrue([for action in s.Action : strcontains(action, "*")])
      ]
    ]))
    error_message = "No action contains a *."
  }

  # AWS supports no narrower resource for these; a comment at each says so.
  assert {
    condition = toset(flatten([
      for name, policy in merge(aws_iam_role_policy.this, aws_iam_role_policy.deploy) : [
        for s in jsondecode(policy.policy).Statement : "${name} ${s.Sid}" if contains(s.Resource, "*")
      ]
    ])) == toset(["task_execution SignInToEcr", "state_machine Log", "release SignInToEcr", "refresh ReadUnscoped"])
    error_message = "Another statement applies to every resource."
  }

  # --- who may assume them ---
  assert {
    condition = {
      for role in aws_iam_role.this : role.name => jsondecode(role.assume_role_policy).Statement[0].Principal.Service
      } == {
      vendas-loader         = ["ecs-tasks.amazonaws.com"]
      vendas-transformer    = ["ecs-tasks.amazonaws.com"]
      vendas-task-execution = ["ecs-tasks.amazonaws.com"]
      vendas-copy           = ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]
      vendas-state-machine  = ["states.amazonaws.com"]
      vendas-scheduler      = ["scheduler.amazonaws.com"]
    }
    error_message = "Each role can be assumed by its service only."
  }
  assert {
    condition     = alltrue([for key, role in aws_iam_role.this : key == "copy" || try(jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012", false)])
    error_message = "A service may assume a role for this account only."
  }
  assert {
    condition = jsondecode(aws_iam_role.this["copy"].assume_role_policy).Statement[0].Condition == {
      StringLike = {
        "sts:ExternalId" = [
          "arn:aws:redshift:sa-east-1:123456789012:dbuser:serverless-123456789012-*/IAMR:vendas-loader",
          "arn:aws:redshift:sa-east-1:123456789012:dbuser:vendas/IAMR:vendas-loader",
        ]
      }
    }
    error_message = "Only the loader's database user may COPY."
  }

  # --- what they may access ---
  assert {
    condition = toset(flatten([
      for s in jsondecode(aws_iam_role_policy.this["transformer"].policy).Statement : [
        for resource in s.Resource : resource if startswith(resource, "arn:aws:s3:::vendas-landing") || startswith(resource, "arn:aws:s3:::vendas-drop")
      ]
      ])) == toset([
      "arn:aws:s3:::vendas-landing-123456789012-sa-east-1",
      "arn:aws:s3:::vendas-landing-123456789012-sa-east-1/landing/_locks/build.json",
      "arn:aws:s3:::vendas-landing-123456789012-sa-east-1/landing/_target.json",
    ])
    error_message = "The transformer may not read loaded or dropped files."
  }
  assert {
    condition = alltrue([
      for name in ["loader", "transformer", "task_execution", "copy", "state_machine", "scheduler"] : alltrue([
        for s in jsondecode(aws_iam_role_policy.this[name].policy).Statement :
        !anytrue([for action in s.Action : startswith(action, "kms:")]) || try(s.Condition.StringEquals["kms:ViaService"] != null, false)
      ])
    ])
    error_message = "The key may be used only through the service that encrypts with it."
  }
  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_role_policy.this["state_machine"].policy).Statement : !contains(s.Action, "iam:PassRole") || try(s.Condition.StringEquals["iam:PassedToService"] == "ecs-tasks.amazonaws.com", false)])
    error_message = "The state machine may pass roles to tasks only."
  }

  # --- CI ---
  assert {
    condition = jsondecode(aws_iam_role.deploy[0].assume_role_policy).Statement[0].Condition.StringEquals == {
      "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
      "token.actions.githubusercontent.com:sub" = "repo:empresa@12345/plataforma-vendas@67890:environment:production"
    }
    error_message = "Only the repository's environment that requires approval may deploy."
  }
  assert {
    condition = jsondecode(aws_iam_role.plan[0].assume_role_policy).Statement[0].Condition.StringEquals == {
      "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
      "token.actions.githubusercontent.com:sub" = "repo:empresa@12345/plataforma-vendas@67890:environment:production-plan"
    }
    error_message = "Only an environment of the repository may plan, and not the one that deploys."
  }
  assert {
    condition = {
      for s in jsondecode(aws_iam_role_policy.plan["plan"].policy).Statement : s.Sid => join(" ", concat(sort(s.Action), s.Resource))
      } == {
      ListStateBucket = "s3:ListBucket arn:aws:s3:::empresa-terraform"
      ReadState       = "s3:GetObject arn:aws:s3:::empresa-terraform/vendas/*"
      StateLock       = "s3:DeleteObject s3:PutObject arn:aws:s3:::empresa-terraform/vendas/*.tflock"
      SavePlan        = "s3:PutObject arn:aws:s3:::empresa-terraform/vendas/plans/*"
    }
    error_message = "A plan, which nobody has approved, reads the state and stores itself."
  }
  assert {
    condition = aws_iam_role_policy.plan["refresh"].policy == aws_iam_role_policy.deploy["refresh"].policy && alltrue(flatten([
      for s in jsondecode(aws_iam_role_policy.plan["refresh"].policy).Statement : [
        for action in s.Action : can(regex("^[a-z0-9-]+:(Describe|Filter|Get|List|Validate|View)", action))
      ]
    ]))
    error_message = "A plan reads what a deployment reads, and changes nothing."
  }
  assert {
    condition = !anytrue(flatten([
      for policy in aws_iam_role_policy.deploy : [
        for s in jsondecode(policy.policy).Statement : [
          for action in s.Action : can(regex("^(iam:(Create|Put|Attach|Update|Delete)|s3:(Create|Delete|Put)Bucket|kms:(Put|Schedule|Create)|redshift-serverless:Delete)", action))
        ]
      ]
    ]))
    error_message = "CI grants no permissions, and deletes nothing that contains data."
  }
  assert {
    condition = !anytrue(flatten([
      for policy in aws_iam_role_policy.deploy : [
        for s in jsondecode(policy.policy).Statement : [
          for action in s.Action : contains(["kms:Decrypt", "redshift-data:ExecuteStatement", "redshift-serverless:GetCredentials", "secretsmanager:GetSecretValue"], action)
        ]
      ]
    ]))
    error_message = "CI reads no secret and cannot sign in to the database, so it grants nothing there."
  }
  assert {
    condition = !anytrue(flatten([
      for policy in aws_iam_role_policy.deploy : [for s in jsondecode(policy.policy).Statement : contains(s.Action, "ecs:DeregisterTaskDefinition")]
    ])) && alltrue([for task in aws_ecs_task_definition.this : task.skip_destroy])
    error_message = "A deployment keeps the revisions that a run may still start."
  }
  assert {
    condition     = sum([for policy in aws_iam_role_policy.deploy : length(policy.policy)]) <= 10240 && alltrue([for policy in aws_iam_role_policy.this : length(policy.policy) <= 10240])
    error_message = "IAM allows 10,240 characters of inline policies per role."
  }
}

run "ci_of_an_older_repository" {
  command = apply

  variables {
    github = { repository = "empresa/plataforma-vendas", environment = "staging", oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }

  assert {
    condition = jsondecode(aws_iam_role.deploy[0].assume_role_policy).Statement[0] == {
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = "repo:empresa/plataforma-vendas:environment:staging"
        }
      }
    } && length(aws_iam_openid_connect_provider.github) == 0
    error_message = "A repository whose subjects have no ids may deploy from its environment only, through the account's provider."
  }
}

run "without_ci" {
  command = apply

  variables {
    github = null
  }

  assert {
    condition     = length(aws_iam_role.deploy) + length(aws_iam_role.plan) + length(aws_iam_openid_connect_provider.github) == 0 && output.deploy_role_arn == null && output.plan_role_arn == null
    error_message = "Without github no role for it is created."
  }
}
