# Write-only: neither the state nor a plan contains a value. ECS reads the secrets when a task starts.

locals {
  # A missing value is an empty string, because the provider refuses a version with a null value in every plan. The
  # provider uses the value only if the version is new; AWS then refuses an empty one.
  secret_values = { for name in keys(local.secret_versions) : name => lookup(var.source_secrets, name, "") }
}

resource "aws_secretsmanager_secret" "source" {
  for_each                = local.secret_versions
  name                    = "${var.name}/${each.key}"
  description             = "A secret of the sources: ${each.key}"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = var.protect_data ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "source" {
  for_each                 = local.secret_versions
  secret_id                = aws_secretsmanager_secret.source[each.key].id
  secret_string_wo         = local.secret_values[each.key]
  secret_string_wo_version = each.value
}
