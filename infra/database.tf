# Roles, users, schemas and grants in the database, created before the first sign-in.

locals {
  # The Data API accepts one statement at a time: the first creates a procedure, the second calls it.
  access_procedure = templatefile("${path.module}/sql/grant_access.sql", {
    database         = var.database
    raw_schemas      = [for name in keys(var.sources) : "raw_${name}"]
    loader_user      = local.database_users.loader
    transformer_user = local.database_users.transformer
  })
}

# The statements run again only if this changes. AWS forgets a statement after a day, which the provider would otherwise
# treat as a change.
resource "terraform_data" "access" {
  input = sha256(local.access_procedure)
  triggers_replace = [
    sha256(local.access_procedure),
    aws_redshiftserverless_namespace.this.namespace_id,
  ]
}

resource "aws_redshiftdata_statement" "access_procedure" {
  workgroup_name = aws_redshiftserverless_workgroup.this.workgroup_name
  database       = var.database
  secret_arn     = aws_redshiftserverless_namespace.this.admin_password_secret_arn
  sql            = local.access_procedure

  lifecycle {
    ignore_changes       = all
    replace_triggered_by = [terraform_data.access]
  }
}

resource "aws_redshiftdata_statement" "access" {
  workgroup_name = aws_redshiftserverless_workgroup.this.workgroup_name
  database       = var.database
  secret_arn     = aws_redshiftserverless_namespace.this.admin_password_secret_arn
  sql            = "call public.grant_access()"

  lifecycle {
    ignore_changes       = all
    replace_triggered_by = [terraform_data.access]
  }

  depends_on = [aws_redshiftdata_statement.access_procedure]
}
