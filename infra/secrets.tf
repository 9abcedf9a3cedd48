# Write-only: neither the state nor a plan contains a value. ECS reads the secrets when a task starts.

locals {
  api_key = var.employees_api_key_version > 0 ? 1 : 0

  # A missing value is an empty string, because the provider refuses a version with a null value in every plan. The
  # provider uses the value only if the version is new; AWS then refuses an empty one.
  secret_values = {
    source_postgres_password = var.source_postgres_password == null ? "" : var.source_postgres_password
    employees_api_key        = var.employees_api_key == null ? "" : var.employees_api_key
  }
}

resource "aws_secretsmanager_secret" "source_postgres_password" {
  name                    = "${var.name}/source-postgres-password"
  description             = "Password of the user that reads the sales database"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = var.protect_data ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "source_postgres_password" {
  secret_id                = aws_secretsmanager_secret.source_postgres_password.id
  secret_string_wo         = local.secret_values.source_postgres_password
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
  secret_string_wo         = local.secret_values.employees_api_key
  secret_string_wo_version = var.employees_api_key_version
}
