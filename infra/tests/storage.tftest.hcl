# Buckets, key, secrets and image repository: access and encryption.

mock_provider "aws" {
  source = "./tests"
}

run "storage" {
  command = apply

  assert {
    condition     = toset([for bucket in aws_s3_bucket.this : bucket.bucket]) == toset([for name in ["artifacts", "drop", "landing"] : "vendas-${name}-123456789012-sa-east-1"])
    error_message = "There are three buckets, with the account and the region in their names."
  }
  assert {
    condition = length(aws_s3_bucket_public_access_block.this) == 3 && alltrue([
      for block in aws_s3_bucket_public_access_block.this :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "No bucket can be made public."
  }
  assert {
    condition = length(aws_s3_bucket_server_side_encryption_configuration.this) == 3 && alltrue(flatten([
      for bucket in aws_s3_bucket_server_side_encryption_configuration.this : [
        for rule in bucket.rule : [
          for by_default in rule.apply_server_side_encryption_by_default :
          by_default.sse_algorithm == "aws:kms" && by_default.kms_master_key_id == aws_kms_key.this.arn
        ]
      ]
    ]))
    error_message = "Every bucket is encrypted with our key."
  }
  assert {
    condition     = length(aws_s3_bucket_versioning.this) == 3 && alltrue([for bucket in aws_s3_bucket_versioning.this : bucket.versioning_configuration[0].status == "Enabled"])
    error_message = "Every bucket is versioned."
  }
  assert {
    condition = length(aws_s3_bucket_policy.this) == 3 && alltrue([
      for name, bucket in aws_s3_bucket_policy.this : jsondecode(bucket.policy).Statement == [{
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.this[name].arn, "${aws_s3_bucket.this[name].arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    ])
    error_message = "Every bucket refuses requests without TLS, and its policy allows nothing."
  }
  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : !bucket.force_destroy]) && !aws_ecr_repository.this.force_delete
    error_message = "Buckets and repositories that are not empty are protected by default."
  }
  assert {
    condition = alltrue([
      for name in ["landing", "drop"] : !anytrue([
        for rule in aws_s3_bucket_lifecycle_configuration.this[name].rule : length(rule.expiration) > 0
      ])
    ])
    error_message = "Loaded and dropped files are kept."
  }

  # --- the key ---
  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "The key rotates."
  }
  assert {
    condition = {
      for statement in jsondecode(aws_kms_key.this.policy).Statement : statement.Sid => [statement.Principal, try(keys(statement.Condition), [])]
      } == {
      Account = [{ AWS = "arn:aws:iam::123456789012:root" }, []]
      Logs    = [{ Service = "logs.sa-east-1.amazonaws.com" }, ["ArnLike"]]
      Alarms  = [{ Service = "cloudwatch.amazonaws.com" }, ["StringEquals"]]
    }
    error_message = "Only this account, and two services on its behalf, may use the key."
  }

  # --- the secret ---
  assert {
    condition     = keys(aws_secretsmanager_secret.source) == ["SOURCE_POSTGRES_PASSWORD"] && alltrue([for secret in aws_secretsmanager_secret.source : secret.kms_key_id == aws_kms_key.this.arn && secret.recovery_window_in_days == 30])
    error_message = "The secret is encrypted with our key and can be restored for 30 days."
  }
  assert {
    condition     = alltrue([for version in aws_secretsmanager_secret_version.source : version.secret_string == null && version.secret_string_wo == null && version.secret_string_wo_version == 1])
    error_message = "The password is written and is not in the state."
  }

  # --- images ---
  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push && aws_ecr_repository.this.encryption_configuration[0].kms_key == aws_kms_key.this.arn
    error_message = "Tags are immutable, and images are scanned and encrypted."
  }
}

run "a_changed_name_and_database" {
  command = plan

  variables {
    deployed = { name = "vendas2", database = "erp" }
  }

  expect_failures = [aws_redshiftserverless_namespace.this]
}

run "can_be_destroyed" {
  command = apply

  variables {
    protect_data = false
  }

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : bucket.force_destroy]) && aws_ecr_repository.this.force_delete && aws_secretsmanager_secret.source["SOURCE_POSTGRES_PASSWORD"].recovery_window_in_days == 0
    error_message = "With protect_data = false, everything can be destroyed."
  }
}

run "secrets_that_are_already_stored" {
  command = plan

  variables {
    source_secrets = {}
  }

  assert {
    condition     = nonsensitive(local.secret_values["SOURCE_POSTGRES_PASSWORD"]) == ""
    error_message = "A missing secret is empty, because the provider refuses null with a version."
  }
}

run "optional_secret" {
  command = apply

  variables {
    connections = {
      api = {
        settings        = { URL = "https://api.example.com/employees" }
        secret_versions = { KEY = 2 }
      }
      postgres = {
        settings        = { HOST = "db.example.com", DATABASE = "erp", USER = "leitor" }
        cidr            = "10.1.0.0/24"
        secret_versions = { PASSWORD = 3 }
      }
    }
  }

  assert {
    condition     = { for name, version in aws_secretsmanager_secret_version.source : name => version.secret_string_wo_version if version.secret_string == null } == { EMPLOYEES_API_KEY = 2, SOURCE_POSTGRES_PASSWORD = 3 }
    error_message = "The API's key exists with its version, and is not in the state."
  }
  assert {
    condition = jsonencode({ for key, task in aws_ecs_task_definition.this : key => { for secret in jsondecode(task.container_definitions)[0].secrets : secret.name => secret.valueFrom } }) == jsonencode({
      loader = {
        EMPLOYEES_API_KEY        = aws_secretsmanager_secret.source["EMPLOYEES_API_KEY"].arn
        SOURCE_POSTGRES_PASSWORD = aws_secretsmanager_secret.source["SOURCE_POSTGRES_PASSWORD"].arn
      }
      transformer = {}
    })
    error_message = "Only the loader has the API's key."
  }
  assert {
    condition     = anytrue([for s in jsondecode(aws_iam_role_policy.this["task_execution"].policy).Statement : contains(s.Action, "secretsmanager:GetSecretValue") && contains(s.Resource, aws_secretsmanager_secret.source["EMPLOYEES_API_KEY"].arn)])
    error_message = "ECS may read the API's key."
  }
}
