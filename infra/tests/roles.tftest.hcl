# Who may do what, action by action. What the code really calls is compared with this by tests/python/integration/infra.

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
        ListLandingAndDrop = ["s3:ListBucket"]
        Land               = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        UnlockAndCleanUp   = ["s3:DeleteObject"]
        ReadDrop           = ["s3:GetObject"]
        SetAside           = ["s3:AbortMultipartUpload", "s3:PutObject"]
        EncryptedBuckets   = ["kms:Decrypt", "kms:GenerateDataKey"]
        SignInToRedshift   = ["redshift-serverless:GetCredentials"]
      }
      transformer = {
        ListArtifactsAndLanding = ["s3:ListBucket"]
        Lock                    = ["s3:GetObject", "s3:PutObject"]
        Unlock                  = ["s3:DeleteObject"]
        PublishArtifacts        = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        EncryptedBuckets        = ["kms:Decrypt", "kms:GenerateDataKey"]
        SignInToRedshift        = ["redshift-serverless:GetCredentials"]
      }
      task_execution = {
        SignInToEcr      = ["ecr:GetAuthorizationToken"]
        PullImage        = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Log              = ["logs:CreateLogStream", "logs:PutLogEvents"]
        ReadSecrets      = ["secretsmanager:GetSecretValue"]
        EncryptedSecrets = ["kms:Decrypt"]
      }
      copy = {
        ListLanding      = ["s3:ListBucket"]
        ReadLanding      = ["s3:GetObject"]
        EncryptedBuckets = ["kms:Decrypt"]
      }
      state_machine = {
        RunTasks            = ["ecs:RunTask"]
        FollowTasks         = ["ecs:DescribeTasks", "ecs:StopTask"]
        TagTasks            = ["ecs:TagResource"]
        GiveTasksTheirRoles = ["iam:PassRole"]
        HearOfTasksThatEnd  = ["events:DescribeRule", "events:PutRule", "events:PutTargets"]
        NeverTwiceAtOnce    = ["states:ListExecutions"]
        TellOfFailures      = ["sns:Publish"]
        EncryptedTopic      = ["kms:Decrypt", "kms:GenerateDataKey"]
        Log = [
          "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
          "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
        ]
      }
      scheduler = {
        Start            = ["states:StartExecution"]
        Snapshot         = ["redshift-serverless:CreateSnapshot"]
        KeepMissedStarts = ["sqs:SendMessage"]
        EncryptedQueue   = ["kms:Decrypt", "kms:GenerateDataKey"]
      }
    })
    error_message = "A role has an action more or less than it should: ${jsonencode({ for role, policy in aws_iam_role_policy.this : role => { for s in jsondecode(policy.policy).Statement : s.Sid => sort(s.Action) } })}"
  }
  assert {
    # each action that changes something, on what
    condition = {
      for statement in flatten([
        for role, policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : { name = "${role} ${s.Sid}", resources = s.Resource }]
        ]) : statement.name => join(" ", [for resource in statement.resources : split(":", resource)[length(split(":", resource)) - 1]]) if contains([
        "loader Land", "loader UnlockAndCleanUp", "loader SetAside", "transformer Lock", "transformer Unlock", "transformer PublishArtifacts",
      ], statement.name)
      } == {
      "loader Land"                  = "vendas-landing-123456789012-sa-east-1/landing/*"
      "loader UnlockAndCleanUp"      = "vendas-landing-123456789012-sa-east-1/landing/_locks/raw_* vendas-landing-123456789012-sa-east-1/landing/_doctor/*"
      "loader SetAside"              = "vendas-drop-123456789012-sa-east-1/_rejected/*"
      "transformer Lock"             = "vendas-landing-123456789012-sa-east-1/landing/_target.json vendas-landing-123456789012-sa-east-1/landing/_locks/build.json"
      "transformer Unlock"           = "vendas-landing-123456789012-sa-east-1/landing/_locks/build.json"
      "transformer PublishArtifacts" = "vendas-artifacts-123456789012-sa-east-1/runs/* vendas-artifacts-123456789012-sa-east-1/docs/*"
    }
    error_message = "A task writes to another place, or deletes there."
  }

  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_role_policy.this), values(aws_iam_role_policy.deploy)) : [
        for s in jsondecode(policy.policy).Statement : s.Effect == "Allow" && !anytrue([for action in s.Action : strcontains(action, "*")])
      ]
    ]))
    error_message = "No role has an action with a *."
  }

  # Where AWS knows no narrower resource; each says so where it stands.
  assert {
    condition = toset(flatten([
      for name, policy in merge(aws_iam_role_policy.this, aws_iam_role_policy.deploy) : [
        for s in jsondecode(policy.policy).Statement : "${name} ${s.Sid}" if contains(s.Resource, "*")
      ]
    ])) == toset(["task_execution SignInToEcr", "state_machine Log", "release SignInToEcr", "refresh GrantAccess", "refresh ListsAsAWhole"])
    error_message = "A statement is for every resource."
  }

  # --- who may be them ---
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
    error_message = "Each role is for one service."
  }
  assert {
    condition     = alltrue([for key, role in aws_iam_role.this : key == "copy" || try(jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012", false)])
    error_message = "A service takes a role for this account only."
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
    error_message = "Only the loader's user of the database may COPY."
  }

  # --- what they may reach ---
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
    error_message = "The transformer reads nothing that was landed or dropped."
  }
  assert {
    condition = alltrue([
      for name in ["loader", "transformer", "task_execution", "copy", "state_machine", "scheduler"] : alltrue([
        for s in jsondecode(aws_iam_role_policy.this[name].policy).Statement :
        !anytrue([for action in s.Action : startswith(action, "kms:")]) || try(s.Condition.StringEquals["kms:ViaService"] != null, false)
      ])
    ])
    error_message = "The key is used by way of the service that it encrypts for."
  }
  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_role_policy.this["state_machine"].policy).Statement : !contains(s.Action, "iam:PassRole") || try(s.Condition.StringEquals["iam:PassedToService"] == "ecs-tasks.amazonaws.com", false)])
    error_message = "The state machine gives roles to tasks alone."
  }

  # --- CI ---
  assert {
    condition = jsondecode(aws_iam_role.deploy[0].assume_role_policy).Statement[0].Condition.StringEquals == {
      "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
      "token.actions.githubusercontent.com:sub" = "repo:empresa/plataforma-vendas:environment:production"
    }
    error_message = "Only the repository's environment that asks for approval deploys."
  }
  assert {
    condition = !anytrue(flatten([
      for policy in aws_iam_role_policy.deploy : [
        for s in jsondecode(policy.policy).Statement : [
          for action in s.Action : can(regex("^(iam:(Create|Put|Attach|Update|Delete)|s3:(Create|Delete|Put)Bucket|kms:(Put|Schedule|Create)|redshift-serverless:Delete)", action))
        ]
      ]
    ]))
    error_message = "CI gives nobody rights, and deletes nothing that holds data."
  }
  assert {
    condition = !anytrue(flatten([
      for policy in aws_iam_role_policy.deploy : [
        for s in jsondecode(policy.policy).Statement : [
          for action in s.Action : contains(["kms:Decrypt", "redshift-data:ExecuteStatement", "redshift-serverless:GetCredentials", "secretsmanager:GetSecretValue"], action)
        ]
      ]
    ]))
    error_message = "CI reads no secret and signs in to no database, so it grants nothing there."
  }
  assert {
    condition = !anytrue(flatten([
      for policy in aws_iam_role_policy.deploy : [for s in jsondecode(policy.policy).Statement : contains(s.Action, "ecs:DeregisterTaskDefinition")]
    ])) && alltrue([for task in aws_ecs_task_definition.this : task.skip_destroy])
    error_message = "A deployment leaves the revisions that a run may still start."
  }
  assert {
    condition     = sum([for policy in aws_iam_role_policy.deploy : length(policy.policy)]) <= 10240 && alltrue([for policy in aws_iam_role_policy.this : length(policy.policy) <= 10240])
    error_message = "IAM takes 10,240 characters of inline policies for a role."
  }
}

run "without_ci" {
  command = apply

  variables {
    github = null
  }

  assert {
    condition     = length(aws_iam_role.deploy) + length(aws_iam_openid_connect_provider.github) == 0 && output.deploy_role_arn == null
    error_message = "Without github there is no deploy role."
  }
}
