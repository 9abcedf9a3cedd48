# The answers of AWS that the configuration and its tests use.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

mock_data "aws_availability_zones" {
  defaults = { names = ["sa-east-1a", "sa-east-1b", "sa-east-1c"] }
}

mock_resource "aws_redshiftserverless_namespace" {
  defaults = {
    arn                       = "arn:aws:redshift-serverless:sa-east-1:123456789012:namespace/11111111-2222-3333-4444-555555555555"
    admin_password_secret_arn = "arn:aws:secretsmanager:sa-east-1:123456789012:secret:redshift!vendas-admin-AbCdEf"
  }
}

mock_resource "aws_redshiftserverless_workgroup" {
  defaults = {
    arn = "arn:aws:redshift-serverless:sa-east-1:123456789012:workgroup/66666666-7777-8888-9999-000000000000"
    endpoint = [{
      address = "vendas.123456789012.sa-east-1.redshift-serverless.amazonaws.com", port = 5439, vpc_endpoint = []
    }]
  }
}

mock_resource "aws_kms_key" {
  defaults = { arn = "arn:aws:kms:sa-east-1:123456789012:key/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee" }
}

override_resource {
  target = aws_secretsmanager_secret.source["SOURCE_POSTGRES_PASSWORD"]
  values = { arn = "arn:aws:secretsmanager:sa-east-1:123456789012:secret:vendas/SOURCE_POSTGRES_PASSWORD-AbCdEf" }
}

override_resource {
  target = aws_secretsmanager_secret.source["EMPLOYEES_API_KEY"]
  values = { arn = "arn:aws:secretsmanager:sa-east-1:123456789012:secret:vendas/EMPLOYEES_API_KEY-AbCdEf" }
}

override_resource {
  target = aws_secretsmanager_secret.source["CRM_PASSWORD"]
  values = { arn = "arn:aws:secretsmanager:sa-east-1:123456789012:secret:vendas/CRM_PASSWORD-AbCdEf" }
}

mock_resource "aws_ecr_repository" {
  defaults = {
    arn            = "arn:aws:ecr:sa-east-1:123456789012:repository/vendas"
    repository_url = "123456789012.dkr.ecr.sa-east-1.amazonaws.com/vendas"
  }
}

mock_resource "aws_ecs_cluster" {
  defaults = { arn = "arn:aws:ecs:sa-east-1:123456789012:cluster/vendas" }
}

mock_resource "aws_sfn_state_machine" {
  defaults = { arn = "arn:aws:states:sa-east-1:123456789012:stateMachine:vendas" }
}

mock_resource "aws_sns_topic" {
  defaults = { arn = "arn:aws:sns:sa-east-1:123456789012:vendas-alerts" }
}

mock_resource "aws_sqs_queue" {
  defaults = { arn = "arn:aws:sqs:sa-east-1:123456789012:vendas-missed-starts" }
}

mock_resource "aws_vpc" {
  defaults = { id = "vpc-0123456789abcdef0" }
}

override_resource {
  target = aws_s3_bucket.this["landing"]
  values = { arn = "arn:aws:s3:::vendas-landing-123456789012-sa-east-1", id = "vendas-landing-123456789012-sa-east-1" }
}

override_resource {
  target = aws_s3_bucket.this["drop"]
  values = { arn = "arn:aws:s3:::vendas-drop-123456789012-sa-east-1", id = "vendas-drop-123456789012-sa-east-1" }
}

override_resource {
  target = aws_s3_bucket.this["artifacts"]
  values = { arn = "arn:aws:s3:::vendas-artifacts-123456789012-sa-east-1", id = "vendas-artifacts-123456789012-sa-east-1" }
}

override_resource {
  target = aws_iam_role.this["loader"]
  values = { arn = "arn:aws:iam::123456789012:role/vendas-loader", id = "vendas-loader" }
}

override_resource {
  target = aws_iam_role.this["transformer"]
  values = { arn = "arn:aws:iam::123456789012:role/vendas-transformer", id = "vendas-transformer" }
}

override_resource {
  target = aws_iam_role.this["task_execution"]
  values = { arn = "arn:aws:iam::123456789012:role/vendas-task-execution", id = "vendas-task-execution" }
}

override_resource {
  target = aws_iam_role.this["copy"]
  values = { arn = "arn:aws:iam::123456789012:role/vendas-copy", id = "vendas-copy" }
}

override_resource {
  target = aws_iam_role.this["state_machine"]
  values = { arn = "arn:aws:iam::123456789012:role/vendas-state-machine", id = "vendas-state-machine" }
}

override_resource {
  target = aws_iam_role.this["scheduler"]
  values = { arn = "arn:aws:iam::123456789012:role/vendas-scheduler", id = "vendas-scheduler" }
}

override_resource {
  target = aws_cloudwatch_log_group.tasks
  values = { arn = "arn:aws:logs:sa-east-1:123456789012:log-group:/vendas/tasks" }
}

override_resource {
  target = aws_cloudwatch_log_group.state_machine
  values = { arn = "arn:aws:logs:sa-east-1:123456789012:log-group:/aws/vendedlogs/states/vendas" }
}

override_resource {
  target = aws_ecs_task_definition.this["loader"]
  values = { arn = "arn:aws:ecs:sa-east-1:123456789012:task-definition/vendas-loader:1" }
}

override_resource {
  target = aws_ecs_task_definition.this["transformer"]
  values = { arn = "arn:aws:ecs:sa-east-1:123456789012:task-definition/vendas-transformer:1" }
}

override_resource {
  target = aws_iam_role.deploy
  values = { arn = "arn:aws:iam::123456789012:role/vendas-deploy", id = "vendas-deploy" }
}

override_resource {
  target = aws_iam_role.plan
  values = { arn = "arn:aws:iam::123456789012:role/vendas-plan", id = "vendas-plan" }
}

override_resource {
  target = aws_iam_openid_connect_provider.github
  values = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
}
