locals {
  # Each IAM role signs in to Redshift as the user of this name.
  database_users = {
    loader      = "IAMR:${local.role_names.loader}"
    transformer = "IAMR:${local.role_names.transformer}"
  }
  redshift_logs = toset(["connectionlog", "useractivitylog", "userlog"])
}

# Created before Redshift creates them, so that they have a retention and our key.
resource "aws_cloudwatch_log_group" "redshift" {
  for_each          = local.redshift_logs
  name              = "/aws/redshift/${var.name}/${each.value}"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_redshiftserverless_namespace" "this" {
  namespace_name                   = var.name
  db_name                          = var.database
  kms_key_id                       = aws_kms_key.this.arn
  admin_username                   = "admin_${replace(var.name, "-", "_")}"
  manage_admin_password            = true
  admin_password_secret_kms_key_id = aws_kms_key.this.key_id
  iam_roles                        = [aws_iam_role.this["copy"].arn]
  default_iam_role_arn             = aws_iam_role.this["copy"].arn
  log_exports                      = local.redshift_logs

  depends_on = [aws_cloudwatch_log_group.redshift]

  # AWS cannot rename a namespace or its database: Terraform would replace the warehouse by an empty one.
  lifecycle {
    prevent_destroy = true

    precondition {
      condition     = var.deployed == null ? true : var.deployed.name == var.name
      error_message = "name: expected ${try(var.deployed.name, "")}, which is deployed, got ${var.name}: a change would replace the warehouse by an empty one. Set it back, or deploy beside it with another TF_VAR_name."
    }
    precondition {
      condition     = var.deployed == null ? true : var.deployed.database == var.database
      error_message = "database: expected ${try(var.deployed.database, "")}, which is deployed, got ${var.database}: a change would replace the warehouse by an empty one. Set it back."
    }
  }
}

resource "aws_redshiftserverless_workgroup" "this" {
  workgroup_name       = var.name
  namespace_name       = aws_redshiftserverless_namespace.this.namespace_name
  base_capacity        = var.redshift_base_capacity
  max_capacity         = var.redshift_max_capacity
  publicly_accessible  = false
  enhanced_vpc_routing = true
  subnet_ids           = local.subnet_ids
  security_group_ids   = [aws_security_group.redshift.id]

  # All parameters, because AWS returns all of them: a missing one would show as a change in every plan.
  dynamic "config_parameter" {
    for_each = {
      auto_mv                          = "true"
      datestyle                        = "ISO, MDY"
      enable_case_sensitive_identifier = "false"
      enable_user_activity_logging     = "true"
      max_query_execution_time         = "14400" # seconds
      query_group                      = "default"
      require_ssl                      = "true"
      search_path                      = "$user, public"
      use_fips_ssl                     = "false"
    }
    content {
      parameter_key   = config_parameter.key
      parameter_value = config_parameter.value
    }
  }
}

resource "aws_redshiftserverless_usage_limit" "day" {
  resource_arn  = aws_redshiftserverless_workgroup.this.arn
  usage_type    = "serverless-compute"
  period        = "daily"
  amount        = var.redshift_daily_rpu_hours
  breach_action = var.redshift_limit_action
}
