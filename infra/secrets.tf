# Written only: neither the state nor a plan holds a value. Tasks read theirs by its name at their start.

locals {
  api_key = var.employees_api_key_version > 0 ? 1 : 0

  # What was not given is an empty text and not null: the provider refuses a version beside no value at all, in every
  # plan. It looks at the value only where the version is new, and AWS refuses an empty one then.
  given = {
    source_postgres_password = var.source_postgres_password == null ? "" : var.source_postgres_password
    employees_api_key        = var.employees_api_key == null ? "" : var.employees_api_key
  }
}

resource "aws_secretsmanager_secret" "source_postgres_password" {
  name                    = "${var.name}/source-postgres-password"
  description             = "Password of the user who reads the sales database"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = var.protect_data ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "source_postgres_password" {
  secret_id                = aws_secretsmanager_secret.source_postgres_password.id
  secret_string_wo         = local.given.source_postgres_password
  secret_string_wo_version = var.source_postgres_password_version
}

resource "aws_secretsmanager_secret" "employees_api_key" {
  count                   = local.api_key
  name                    = "${var.name}/employees-api-key"
  description             = "Key of the employees API"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = var.protect_data ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "employees_api_key" {
  count                    = local.api_key
  secret_id                = aws_secretsmanager_secret.employees_api_key[0].id
  secret_string_wo         = local.given.employees_api_key
  secret_string_wo_version = var.employees_api_key_version
}
