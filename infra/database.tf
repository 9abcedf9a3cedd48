# Roles, users, schemas and grants, before anybody signs in for the first time.

locals {
  # The Data API takes one statement at a time: this one makes a procedure, the other calls it.
  access_procedure = templatefile("${path.module}/sql/grant_access.sql", {
    database         = var.database
    loader_user      = local.database_users.loader
    transformer_user = local.database_users.transformer
  })
}

# Only a change of this runs the statements again. What AWS still knows of a statement does not: after a day it has
# forgotten it, and the provider would take that for a change.
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
